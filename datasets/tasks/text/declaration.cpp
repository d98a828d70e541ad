#include "datasets/tasks/text/declaration.h"

#include "core/base/options/options_yaml.h"

namespace wkvq {

namespace {

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names{"qa_f1",           "rouge_l",      "classification",
                                              "retrieval",       "retrieval_zh", "count",
                                              "code_similarity", "exact_match",  "options",
                                              "options_several", "final_number"};
  return names;
}

std::vector<TextTaskDeclaration> read_declarations() {
  const YamlNode node = parse_yaml(kTextTasks, "text_tasks.yaml");
  std::vector<TextTaskDeclaration> declarations;
  YamlMap suites(node, "");
  const auto read = [&](const char* suite_name, TextSuite suite) {
    for (YamlMap& map : suites.take_maps(suite_name)) {
      TextTaskDeclaration declaration{.suite = suite};
      map.read(declaration);
      map.finish();
      declarations.push_back(std::move(declaration));
    }
  };
  read("longbench", TextSuite::kLongBench);
  read("leval", TextSuite::kLEval);
  suites.finish();
  return declarations;
}

}  // namespace

void TextTaskDeclaration::visit(OptionVisitor& v) {
  v("name", name, "name of the set and stem of its file");
  v("summary", summary, "in a few words");
  v("prompt", prompt, "with {field} for fields of an item");
  v.choice("metric", metric, metric_names(), "how an answer is scored");
  v("max_tokens", max_tokens, "the most that are written");
  v("first_line", first_line, "only the first line of an answer counts");
  v("chat", chat, "prompts of chat models get their template's text around them");
  if (name.empty()) v.reject("name", "missing");
  if (prompt.empty()) v.reject("prompt", "missing");
  if (max_tokens < 1) v.reject("max_tokens", "expected 1 or more");
}

std::string TextTaskDeclaration::metric_name() const {
  if (metric == TextScore::kRetrievalZh) return "retrieval";
  if (metric >= TextScore::kExactMatch) return "exact_match";
  return metric_names()[static_cast<size_t>(metric)];
}

const std::vector<TextTaskDeclaration>& text_task_declarations() {
  static const std::vector<TextTaskDeclaration> declarations = read_declarations();
  return declarations;
}

}  // namespace wkvq
