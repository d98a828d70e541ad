#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/options/options.h"
#include "core/base/yaml/yaml_node.h"
#include "datasets/tasks/choice/text_template.h"

namespace wkvq {

/// Where the published data come from (docs only: nothing is fetched by the program).
struct TaskSource {
  std::string dataset, config, split;
  void visit(OptionVisitor& v);
};

enum class ShotOrder { kRandom, kFirst };

/// Where solved examples come from.
struct TaskFewshot {
  std::string split;  ///< of the source, kept in <file>.dev.jsonl; empty: the test items themselves
  ShotOrder order = ShotOrder::kRandom;
  void visit(OptionVisitor& v);
};

/// What is compared within an item.
enum class TaskForm {
  kChoices,       ///< one context, several continuations (most tasks)
  kContexts,      ///< several contexts, one continuation: partial scoring (WinoGrande)
  kContinuation,  ///< one context, one continuation (LAMBADA)
};

/// A task written down: which file, which text, what is right, which numbers. Read strictly from
/// YAML; docs/datasets.md explains the keys.
struct TaskDeclaration {
  std::string name, version, summary;
  std::string file;    ///< of the items; a folder where the task has parts
  std::string folder;  ///< of the user's YAML; empty: part of the program
  TaskSource source;
  TaskFewshot fewshot;
  std::string delimiter = " ";  ///< between context and choice
  std::vector<std::string> metrics;
  TaskForm form = TaskForm::kChoices;
  std::optional<TextTemplate> description;   ///< in front of everything; {part} is the part's name
  std::optional<TextTemplate> context;       ///< absent for kContexts
  std::optional<TextListTemplate> contexts;  ///< kContexts
  std::optional<TextListTemplate> choices;   ///< kChoices
  std::optional<TextTemplate> continuation;  ///< kContexts, kContinuation
  std::optional<TextTemplate> label;         ///< of the right choice; absent for kContinuation
  std::optional<TextListTemplate> label_names;  ///< absent: labels count from 0
  std::optional<TextFilter> clean;              ///< changes contexts and choices as a whole
  /// Groups of parts with a file each, in order; empty for most tasks.
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  std::string identity;  ///< the declaration in canonical form

  bool reports(const std::string& metric) const;
};

/// ConfigError with file:line:column.
TaskDeclaration read_declaration(const YamlNode& node);

/// The declarations that are part of the program, in the order in which they are listed.
const std::vector<TaskDeclaration>& known_declarations();

}  // namespace wkvq
