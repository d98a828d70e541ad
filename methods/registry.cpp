#include "methods/registry.h"

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "methods/awq/awq.h"
#include "methods/gptq/gptq.h"
#include "methods/hqq/hqq.h"
#include "methods/kivi/kivi.h"
#include "methods/kvarn/kvarn.h"
#include "methods/kvquant/kvquant.h"
#include "methods/mixed/mixed.h"
#include "methods/omniquant/omniquant.h"
#include "methods/oscar/oscar.h"
#include "methods/rotation/rotation.h"
#include "methods/rtn/rtn.h"
#include "methods/smoothquant/smoothquant.h"
#include "methods/turboquant/turboquant.h"
#include "methods/wkvquant/wkvquant.h"
#include "methods/wkvquant/wkvquant_published.h"

namespace wkvq {

namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Method> (*make)();
};

template <class M>
Entry entry(const char* name) {
  return {name, [] { return std::unique_ptr<Method>(std::make_unique<M>()); }};
}

// One line a method; explicit, because the linker drops self-registering objects of static
// libraries.
const std::vector<Entry>& entries() {
  // clang-format off
  static const std::vector<Entry> table{
      entry<Rtn>("rtn"),
      entry<SmoothQuant>("smoothquant"),
      entry<Gptq>("gptq"),
      entry<Awq>("awq"),
      entry<Hqq>("hqq"),
      entry<Rotation>("rotation"),
      entry<OmniQuant>("omniquant"),
      entry<WkvQuant>("wkvquant"),
      entry<WkvQuantPublished>("wkvquant_published"),
      entry<Kivi>("kivi"),
      entry<KvQuant>("kvquant"),
      entry<TurboQuant>("turboquant"),
      entry<Oscar>("oscar"),
      entry<KVarN>("kvarn"),
      entry<Mixed>("mixed"),
  };
  // clang-format on
  return table;
}

}  // namespace

std::unique_ptr<Method> make_method(const std::string& name) {
  for (const Entry& e : entries())
    if (name == e.name) return e.make();
  config_error("unknown method '{}'{}", shown(name), suggestion(name, method_names()));
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Entry& e : entries()) names.emplace_back(e.name);
  return names;
}

}  // namespace wkvq
