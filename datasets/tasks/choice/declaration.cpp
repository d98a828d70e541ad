#include "datasets/tasks/choice/declaration.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/base/options/options_yaml.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "core/base/yaml/yaml_text.h"
#include "datasets/tasks/choice/known_tasks.h"

namespace wkvq {

namespace {

bool stays_below(const std::filesystem::path& file) {
  return file.is_relative() && std::find(file.begin(), file.end(), "..") == file.end();
}

/// The keys that are plain values.
struct Plain {
  TaskDeclaration& task;
  void visit(OptionVisitor& v) {
    v("name", task.name, "name of the task");
    v("version", task.version, "changes where the numbers do");
    v("summary", task.summary, "one line for lists");
    v("file", task.file, "file of the items, <name>.jsonl without it");
    v("source", task.source, "published set");
    v("fewshot", task.fewshot, "solved examples");
    v("delimiter", task.delimiter, "text between context and choice");
    if (task.name.empty() || task.name[0] == '.' ||
        task.name.find_first_of("/ ") != std::string::npos)
      v.reject("name", "expected a name without '/', spaces and a '.' in front");
    if (!stays_below(task.file))
      v.reject("file", fmt::format("'{}', expected a path below the data folder: relative, without "
                                   "'..'; --data names another folder",
                                   shown(task.file)));
    if (task.version.empty()) v.reject("version", "missing, expected a text such as \"1.0\"");
  }
};

template <class T>
void read_template(YamlMap& map, const char* key, std::optional<T>& value) {
  if (const YamlNode* node = map.find(key)) map.located(key, [&] { value.emplace(*node); });
}

std::vector<std::string> names_in(const YamlNode& node, const std::string& what) {
  if (!node.is_list() || node.items.empty())
    config_error("{}: {}: {}, expected a list of names", node.where(), what, node.describe());
  std::vector<std::string> names;
  for (const YamlNode& item : node.items) {
    if (!item.is_scalar() || item.text.empty() ||
        item.text.find_first_of("/ .") != std::string::npos)
      config_error("{}: {}: {}, expected a name without '/', '.' and spaces", item.where(), what,
                   item.describe());
    names.push_back(item.text);
  }
  return names;
}

void read_metrics(const YamlNode& node, TaskDeclaration& task) {
  static const std::vector<std::string> kMatch = {"perplexity", "acc"};
  static const std::vector<std::string> kChoice = {"acc", "acc_norm", "acc_bytes",
                                                   "acc_mutual_info"};
  const auto& known = task.form == TaskForm::kContinuation ? kMatch : kChoice;
  task.metrics = names_in(node, "metrics");
  for (size_t i = 0; i < task.metrics.size(); ++i) {
    const std::string& metric = task.metrics[i];
    if (std::find(known.begin(), known.end(), metric) == known.end())
      config_error("{}: metrics: '{}' is not known here{}", node.items[i].where(), metric,
                   suggestion(metric, known));
    if (std::find(task.metrics.begin(), task.metrics.begin() + static_cast<std::ptrdiff_t>(i),
                  metric) != task.metrics.begin() + static_cast<std::ptrdiff_t>(i))
      config_error("{}: metrics: '{}' is given twice", node.items[i].where(), metric);
  }
}

void read_groups(const YamlNode& node, TaskDeclaration& task) {
  if (!node.is_map()) config_error("{}: parts: expected a map of groups to lists", node.where());
  std::set<std::string> seen;
  for (const YamlEntry& entry : node.entries) {
    task.groups.emplace_back(entry.key.text, names_in(entry.value, "parts." + entry.key.text));
    std::vector<std::string> names = task.groups.back().second;
    names.push_back(entry.key.text);
    for (const std::string& name : names) {
      if (!seen.insert(name).second)
        config_error("{}: parts: '{}' is given twice", entry.key.where(), name);
    }
  }
}

TaskForm form_of(const YamlNode& node, const TaskDeclaration& task) {
  const bool choices = task.context && task.choices && task.label && !task.contexts;
  const bool contexts = task.contexts && task.continuation && task.label && !task.context;
  const bool match = task.context && task.continuation && !task.contexts && !task.label;
  if (choices && !task.continuation) return TaskForm::kChoices;
  if (contexts && !task.choices) return TaskForm::kContexts;
  if (match && !task.choices && !task.label_names) return TaskForm::kContinuation;
  config_error(
      "{}: expected context, choices and label; or contexts, continuation and label; or context "
      "and continuation, no other of these keys",
      node.where());
}

}  // namespace

void TaskSource::visit(OptionVisitor& v) {
  v("dataset", dataset, "name of the published set");
  v("config", config, "its configuration");
  v("split", split, "its split");
}

void TaskFewshot::visit(OptionVisitor& v) {
  v("split", split, "split of the source in <file>.dev.jsonl; without it the test items serve");
  v.choice("order", order, {"random", "first"}, "drawn anew for every item, or the first ones");
}

bool TaskDeclaration::reports(const std::string& metric) const {
  return std::find(metrics.begin(), metrics.end(), metric) != metrics.end();
}

TaskDeclaration read_declaration(const YamlNode& node) {
  TaskDeclaration task;
  YamlMap map(node, "");
  Plain plain{task};
  map.read(plain);
  read_template(map, "description", task.description);
  read_template(map, "context", task.context);
  read_template(map, "contexts", task.contexts);
  read_template(map, "choices", task.choices);
  read_template(map, "continuation", task.continuation);
  read_template(map, "label", task.label);
  read_template(map, "label_names", task.label_names);
  if (map.find("clean"))
    map.located("clean", [&] { task.clean.emplace(map.take_string("clean")); });
  task.form = form_of(node, task);
  read_metrics(map.take("metrics"), task);
  if (const YamlNode* parts = map.find("parts")) read_groups(*parts, task);
  map.finish();
  if (task.file.empty()) task.file = task.groups.empty() ? task.name + ".jsonl" : task.name;
  task.identity = flow_text(node);
  return task;
}

const std::vector<TaskDeclaration>& known_declarations() {
  static const std::vector<TaskDeclaration> declarations = [] {
    std::vector<TaskDeclaration> read;
    for (const auto& [file, text] : known_task_texts())
      read.push_back(read_declaration(parse_yaml(text, file)));
    return read;
  }();
  return declarations;
}

}  // namespace wkvq
