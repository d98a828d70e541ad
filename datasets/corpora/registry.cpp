#include <utility>

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "datasets/corpora/c4.h"
#include "datasets/corpora/dataset.h"
#include "datasets/corpora/jsonl.h"
#include "datasets/corpora/ptb.h"
#include "datasets/corpora/self.h"
#include "datasets/corpora/text.h"
#include "datasets/corpora/tokens.h"
#include "datasets/corpora/wikitext2.h"

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
