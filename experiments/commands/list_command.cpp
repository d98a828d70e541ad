#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>

#include "core/base/checkpoint/model_config.h"
#include "core/base/error.h"
#include "core/base/options/options_text.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "core/number/number_format.h"
#include "datasets/tasks/common/task.h"
#include "experiments/commands/commands.h"
#include "methods/registry.h"

namespace wkvq {

namespace {

template <class Make>
void print_entries(const std::vector<std::string>& names, const std::string& only, Make&& make,
                   std::ostream& out) {
  if (!only.empty()) {
    const auto entry = make(only);
    HelpWriter help;
    help.write(*entry);
    fmt::print(out, "{}: {}\n\n{}", only, entry->summary(), help.text());
    return;
  }
  size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  for (const std::string& name : names)
    fmt::print(out, "{:<{}}  {}\n", name, width, make(name)->summary());
}

void print_formats(std::ostream& out) {
  for (const NumberFormat& format : number_formats())
    fmt::print(out, "{:<14}  {:>2} bits  {}{}\n", format.name, format.bits,
               format.block > 0 ? fmt::format("blocks of {}, ", format.block) : "", format.help);
}

}  // namespace

int list_command(const std::string& what, const std::string& name, std::ostream& out) {
  if (what == "methods") {
    print_entries(method_names(), name, make_method, out);
  } else if (what == "tasks") {
    print_entries(task_names(), name, make_task, out);
  } else if (what == "datasets") {
    print_entries(dataset_names(), name, make_dataset, out);
  } else if (what == "families") {
    for (const std::string& family : family_names()) fmt::print(out, "{}\n", family);
  } else if (what == "formats") {
    print_formats(out);
  } else {
    config_error("list: '{}' is not known{}", shown(what),
                 suggestion(what, {"methods", "tasks", "datasets", "families", "formats"}));
  }
  return 0;
}

}  // namespace wkvq
