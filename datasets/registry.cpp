#include <utility>

#include "core/base/error.h"
#include "core/base/suggest.h"
#include "core/base/visible_text.h"
#include "datasets/c4.h"
#include "datasets/dataset.h"
#include "datasets/jsonl.h"
#include "datasets/ptb.h"
#include "datasets/self.h"
#include "datasets/text.h"
#include "datasets/tokens.h"
#include "datasets/wikitext2.h"

namespace wkvq {

namespace {

using Factory = std::unique_ptr<Dataset> (*)();

template <class T>
std::unique_ptr<Dataset> make() {
  return std::make_unique<T>();
}

const std::vector<std::pair<std::string, Factory>>& table() {
  static const std::vector<std::pair<std::string, Factory>> entries = {
      {"self", make<SelfDataset>},
      {"text", make<TextDataset>},
      {"jsonl", make<JsonlDataset>},
      {"tokens", make<TokensDataset>},
      {"wikitext2", make<WikiText2Dataset>},
      {"c4", make<C4Dataset>},
      {"ptb", make<PtbDataset>},
  };
  return entries;
}

}  // namespace

std::unique_ptr<Dataset> make_dataset(const std::string& name) {
  for (const auto& [known, factory] : table()) {
    if (known == name) return factory();
  }
  config_error("unknown dataset '{}'{}", shown(name), suggestion(name, dataset_names()));
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  return names;
}

}  // namespace wkvq
