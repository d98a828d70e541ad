#include "analysis/read/main_figure.h"

#include <fmt/format.h>

#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

std::string main_figure(const std::filesystem::path& path) {
  const RunSummary run = read_run(path);
  if (run.evaluations.empty()) return run.status;
  const Evaluation& first = run.evaluations.front();
  return printable(fmt::format("{} {} ({}, kv {})", first.metric,
                               format_measurement(first.value, first.stderr_), first.dataset,
                               first.kv_mode));
}

}  // namespace wkvq
