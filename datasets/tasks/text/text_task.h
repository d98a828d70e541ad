#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"
#include "datasets/tasks/text/long_prompt.h"

namespace wkvq {

/// A task whose answers are written greedily and compared with references: LongBench and L-Eval
/// (text_tasks.yaml). Its items come from <data>/<suite>/<name>.jsonl.
///
/// The metric (qa_f1, rouge_l, classification, retrieval, count, code_similarity, exact_match) is
/// 100 times the mean over items of the best score over references; standard error likewise, NaN
/// with one item. Rows: item, id, score (0 to 1), length (as the set states it), prompt_tokens,
/// cut, answer_tokens, answer.
class TextTask final : public Task {
 public:
  explicit TextTask(const TextTaskDeclaration& declaration) : declaration_(declaration) {}

  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool takes_dataset() const override { return false; }
  std::string label() const override { return declaration_.task_name(); }
  std::string data_fingerprint() const override { return fingerprint_; }
  bool has_prefill() const override { return true; }
  bool generates() const override { return true; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  double score_of(const std::string& answer, const TextItem& item) const;
  std::filesystem::path file_of(const TaskInputs& inputs) const;

  const TextTaskDeclaration& declaration_;
  int64_t limit_ = 0;
  int64_t max_length_ = 0;
  ChatText chat_;
  const Tokenizer* tokenizer_ = nullptr;
  std::vector<TextItem> items_;  ///< without the fields of their prompts
  std::vector<int64_t> prompt_tokens_, cut_;
  std::string fingerprint_, convention_;
};

}  // namespace wkvq
