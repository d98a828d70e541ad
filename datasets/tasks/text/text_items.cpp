#include "datasets/tasks/text/text_items.h"

#include "core/base/error.h"
#include "core/base/json/json_fields.h"
#include "datasets/readers/json_lines.h"
#include "datasets/tasks/text/text_metrics.h"

namespace wkvq {

namespace {

// References are compared with answers of some hundred words: longer ones are no references.
constexpr size_t kLongestAnswer = size_t{1} << 20;

std::vector<std::string> texts(const JsonFields& fields, const std::string& name) {
  const nlohmann::json* list = fields.find(name);
  if (!list || !list->is_array() || list->empty()) fields.refuse(name, "expected a list of texts");
  std::vector<std::string> values;
  for (const nlohmann::json& value : *list) {
    if (!value.is_string()) fields.refuse(name, "expected texts in the list");
    values.push_back(value);
    if (values.back().size() > kLongestAnswer) fields.refuse(name, "expected less than 1 MiB each");
  }
  return values;
}

/// What scoring will rely on, while the place is known.
void check_answers(const TextTaskDeclaration& declaration, const TextItem& item,
                   const std::string& place) {
  const bool english = declaration.metric == TextScore::kRetrieval;
  if (!english && declaration.metric != TextScore::kRetrievalZh) return;
  try {
    for (const std::string& answer : item.answers)
      retrieval("", answer, english ? "Paragraph " : "段落");
  } catch (const ConfigError& error) {
    config_error("{}: {}", place, error.what());
  }
}

void read_longbench(const TextTaskDeclaration& declaration, const JsonFields& fields,
                    std::vector<TextItem>& items) {
  constexpr int64_t kLongest = int64_t{1} << 40;
  TextItem item;
  for (const char* name : {"context", "input"}) item.fields[name] = fields.text(name);
  item.answers = texts(fields, "answers");
  if (declaration.metric == TextScore::kClassification) item.classes = texts(fields, "all_classes");
  if (fields.find("_id")) item.id = fields.text("_id");
  if (fields.find("length")) item.length = fields.integer("length", 0, kLongest);
  items.push_back(std::move(item));
}

void read_leval(const JsonFields& fields, std::vector<TextItem>& items) {
  const std::string document = fields.text("input");
  const std::vector<std::string> questions = texts(fields, "instructions"),
                                 answers = texts(fields, "outputs");
  if (questions.size() != answers.size())
    fields.refuse("outputs", fmt::format("expected {} of them, one for each of `instructions`",
                                         questions.size()));
  for (size_t i = 0; i < questions.size(); ++i) {
    TextItem item;
    item.fields = {{"input", document}, {"instruction", questions[i]}};
    item.answers = {answers[i]};
    items.push_back(std::move(item));
  }
}

}  // namespace

std::vector<TextItem> read_text_items(const TextTaskDeclaration& declaration,
                                      const std::filesystem::path& path, int64_t limit) {
  // A line of LongBench is one question; of L-Eval at least one.
  const JsonLines lines = read_json_lines(path, limit);
  std::vector<TextItem> items;
  for (size_t line = 0; line < lines.records.size(); ++line) {
    const std::string& place = lines.places[line];
    const JsonFields fields(lines.records[line], place);
    const size_t known = items.size();
    if (declaration.suite == TextSuite::kLongBench) {
      read_longbench(declaration, fields, items);
    } else {
      read_leval(fields, items);
    }
    for (size_t i = known; i < items.size(); ++i) {
      check_answers(declaration, items[i], place);
      if (items[i].id.empty()) items[i].id = fmt::format("{}.{}", line, i - known);
    }
  }
  if (limit > 0 && static_cast<int64_t>(items.size()) > limit)
    items.resize(static_cast<size_t>(limit));
  return items;
}

std::string fill_prompt(const std::string& prompt, const TextItem& item) {
  std::string text;
  for (size_t at = 0; at < prompt.size();) {
    const size_t open = std::min(prompt.find('{', at), prompt.size());
    text += prompt.substr(at, open - at);
    if (open == prompt.size()) break;
    const size_t close = prompt.find('}', open);
    const std::string name = prompt.substr(open + 1, close - open - 1);
    const auto found = item.fields.find(name);
    if (close == std::string::npos || found == item.fields.end())
      config_error("prompt: no field '{{{}}}' in an item", name);
    text += found->second;
    at = close + 1;
  }
  return text;
}

}  // namespace wkvq
