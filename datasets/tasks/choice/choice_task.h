#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/tasks/choice/declaration.h"
#include "datasets/tasks/choice/encode.h"
#include "datasets/tasks/choice/items.h"
#include "datasets/tasks/common/choices.h"

namespace wkvq {

/// A declared task over published data: the likelihood of each choice after its context, counted as
/// lm-evaluation-harness 0.4 counts it. The context is the prefill.
///
/// Choices report the declaration's metrics (choices.h), and `<metric>_<group>` for each group
/// where the task has parts: items of all parts weigh the same, standard errors are pooled. A
/// single continuation reports `acc`, the share of items where every token is the arg max, and
/// `perplexity` = exp(-m), m the mean log-likelihood of an item, with the standard error of m times
/// perplexity (delta method). Its rows: item, ll, tokens, greedy. Rows of a task with parts also
/// have `part`; `item` counts in its file.
class ChoiceTask final : public Task {
 public:
  /// `selected`: a group or part of the declaration; empty: all there is.
  explicit ChoiceTask(TaskDeclaration declaration, std::string selected = {});

  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool takes_dataset() const override { return false; }
  std::string label() const override;
  std::string data_fingerprint() const override { return fingerprint_; }
  bool needs_greedy() const override { return declaration_.form == TaskForm::kContinuation; }
  bool has_prefill() const override { return true; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  struct Part {
    TaskPart source;
    std::vector<ChoiceItem> items;
  };

  bool reports(const std::string& metric) const;
  void add_parts();
  /// The part's file: beside the declaration of a user's task where it is there, else in the data
  /// folder. ConfigError where a file is missing.
  std::filesystem::path find_file(const TaskInputs& inputs, const TaskPart& part) const;
  void add_requests(const TaskItem& item, PairEncoder& encoder, Part& part,
                    std::vector<Request>& requests) const;
  std::string describe(int64_t in_files, const PairEncoder& encoder,
                       const TaskInputs& inputs) const;
  Metric measure(const std::string& metric, const std::vector<Scored>& scored,
                 const std::vector<ChoiceItem>& items) const;
  /// `metric` over the parts of `group` (empty: all of them).
  Metric measure_parts(const std::string& metric, const std::vector<Scored>& scored,
                       const std::string& group) const;

  TaskDeclaration declaration_;
  std::string selected_;
  ItemOptions options_;
  BosRule bos_ = BosRule::kTokenizer;
  bool acc_bytes_ = false;
  bool mutual_info_ = false;

  std::vector<Part> parts_;
  size_t requests_ = 0;
  std::string convention_;
  std::string fingerprint_;
};

/// The task called `name` (or the YAML file of that name, which ends in .yaml or .yml); nothing
/// where there is none.
std::unique_ptr<Task> make_choice_task(const std::string& name);
/// All names that are part of the program, those of groups and parts included.
std::vector<std::string> choice_task_names();

}  // namespace wkvq
