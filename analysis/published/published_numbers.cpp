#include "analysis/published/published_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/published/published_text.h"
#include "core/base/options/options_yaml.h"

namespace wkvq {

namespace {

/// What all values of one table share; `models` or `datasets` is what they run over.
struct Table {
  PublishedNumber common;
  std::string model;

  void visit(OptionVisitor& v) {
    NumberSetting& s = common.setting;
    v("source", common.source, "where it was published");
    v("tag", common.tag, "how it was read: R, P, 2 or ?");
    v("note", common.note, "what else is known");
    v("model", model, "where values run over datasets");
    v("metric", s.metric, "perplexity, acc, score, calibration_hours, ...");
    v("dataset", s.dataset, "where values run over models");
    v("context", s.context, "tokens of a window");
    v("weight_bits", s.weight_bits, "16: full precision");
    v("weight_group", s.weight_group, "-1: whole row");
    v("activation_bits", s.activation_bits, "16: full precision");
    v("kv_bits", s.kv_bits, "16: full precision");
    v("kv_group", s.kv_group, "-1: head");
    v("kv_mode", s.kv_mode, "as in evaluations");
    if (common.source.empty()) v.reject("source", "expected where it was published");
    const std::array tags{"R", "P", "2", "?"};
    if (std::find(tags.begin(), tags.end(), common.tag) == tags.end())
      v.reject("tag", fmt::format("'{}'; expected R, P, 2 or ?", common.tag));
  }
};

std::vector<std::string> names_in(const YamlNode* node) {
  std::vector<std::string> names;
  if (node)
    for (const YamlNode& item : node->items) names.push_back(item.text);
  return names;
}

void read_rows(const YamlNode& rows, const Table& table, const std::vector<std::string>& over,
               bool over_models, std::vector<PublishedNumber>& numbers) {
  for (const YamlEntry& row : rows.entries) {
    if (row.value.items.size() != over.size())
      config_error("{}: {} values given, {} expected", row.value.where(), row.value.items.size(),
                   over.size());
    for (size_t i = 0; i < over.size(); ++i) {
      const YamlNode& item = row.value.items[i];
      if (item.is_null()) continue;
      const auto value = item.number();
      if (!value)
        config_error("{}: {} given, a number or null expected", item.where(), item.describe());
      PublishedNumber number = table.common;
      number.value = *value;
      number.setting.method = row.key.text;
      number.setting.model = canonical_model(over_models ? over[i] : table.model);
      if (!over_models) number.setting.dataset = over[i];
      numbers.push_back(std::move(number));
    }
  }
}

}  // namespace

std::string canonical_model(const std::string& name) {
  std::string model = name;
  for (char& c : model) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  if (model.starts_with("meta-")) model.erase(0, 5);
  if (model.ends_with("-hf")) model.resize(model.size() - 3);
  return model;
}

std::vector<PublishedNumber> read_published(const YamlNode& document) {
  YamlMap top(document, "");
  std::vector<PublishedNumber> numbers;
  for (YamlMap& map : top.take_maps("tables")) {
    Table table;
    map.read(table);
    const std::vector<std::string> models = names_in(map.find("models"));
    const std::vector<std::string> datasets = names_in(map.find("datasets"));
    if (models.empty() == datasets.empty() || models.empty() == table.model.empty() ||
        datasets.empty() == table.common.setting.dataset.empty())
      map.reject("", "expected models and one dataset, or datasets and one model");
    read_rows(map.take("rows"), table, models.empty() ? datasets : models, !models.empty(),
              numbers);
    map.finish();
  }
  top.finish();
  return numbers;
}

const std::vector<PublishedNumber>& published_numbers() {
  static const std::vector<PublishedNumber> numbers =
      read_published(parse_yaml(kPublishedText, "published_numbers.yaml"));
  return numbers;
}

}  // namespace wkvq
