#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/options/options.h"

namespace wkvq {

/// The text of text_tasks.yaml (datasets/CMakeLists.txt makes it part of the program).
extern const char* const kTextTasks;

/// How an answer is scored; the names in text_tasks.yaml are those of text_metrics.h.
enum class TextScore {
  kQaF1,
  kRougeL,
  kClassification,
  kRetrieval,    ///< "Paragraph 3"
  kRetrievalZh,  ///< the same in Chinese
  kCount,
  kCodeSimilarity,
  kExactMatch,
  kOptions,         ///< exact match of the first option that is named
  kOptionsSeveral,  ///< exact match of all options that are named
  kFinalNumber,     ///< exact match of the number at the end
};

/// Which published layout and way of cutting a task follows.
enum class TextSuite { kLongBench, kLEval };

/// A task with written answers.
struct TextTaskDeclaration {
  TextSuite suite = TextSuite::kLongBench;
  std::string name, summary, prompt;
  TextScore metric = TextScore::kQaF1;
  int64_t max_tokens = 0;
  bool first_line = false;  ///< only the first line of an answer counts
  bool chat = true;         ///< prompts of chat models get their template's text around them

  void visit(OptionVisitor& v);
  std::string folder() const { return suite == TextSuite::kLongBench ? "longbench" : "leval"; }
  /// As in `task:`, e.g. longbench_qasper.
  std::string task_name() const { return folder() + "_" + name; }
  /// qa_f1, ..., exact_match.
  std::string metric_name() const;
};

/// All of text_tasks.yaml in its order.
const std::vector<TextTaskDeclaration>& text_task_declarations();

}  // namespace wkvq
