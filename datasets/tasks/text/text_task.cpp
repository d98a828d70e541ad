#include "datasets/tasks/text/text_task.h"

#include <algorithm>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/options/option_limits.h"
#include "datasets/tasks/common/statistics.h"
#include "datasets/tasks/text/python_text.h"
#include "datasets/tasks/text/text_metrics.h"
#include "datasets/tokenizers/generated_text.h"

namespace wkvq {

namespace {

/// LongBench's rule where examples in the prompt make models go on with questions of their own.
std::string first_line_of(std::string answer) {
  answer.erase(0, answer.find_first_not_of('\n'));
  return answer.substr(0, answer.find('\n'));
}

double one_score(TextScore metric, const std::string& answer, const std::string& reference,
                 const std::vector<std::string>& classes) {
  switch (metric) {
    case TextScore::kQaF1:
      return qa_f1(answer, reference);
    case TextScore::kRougeL:
      return rouge_l(answer, reference);
    case TextScore::kClassification:
      return classification(answer, reference, classes);
    case TextScore::kRetrieval:
      return retrieval(answer, reference, "Paragraph ");
    case TextScore::kRetrievalZh:
      return retrieval(answer, reference, "段落");
    case TextScore::kCount:
      return count_match(answer, reference);
    case TextScore::kCodeSimilarity:
      return code_similarity(answer, reference);
    case TextScore::kExactMatch:
      return exact_match(answer, reference);
    case TextScore::kOptions:
    case TextScore::kOptionsSeveral:
      return exact_match(options_of_answer(answer, metric == TextScore::kOptionsSeveral),
                         options_of_reference(reference));
    case TextScore::kFinalNumber:
      return exact_match(final_number(answer), final_number(reference));
  }
  throw std::logic_error("text task: unknown metric");
}

}  // namespace

void TextTask::visit(OptionVisitor& v) {
  v("limit", limit_, "the first items only, 0: all");
  v("max_length", max_length_, "tokens of a prompt before it is cut, 0: what the model can read");
  v("chat_before", chat_.before, "text in front of the prompts that get a chat template");
  v("chat_after", chat_.after, "text behind them");
  if (limit_ < 0) v.reject("limit", "expected 0 (all) or more");
  if (max_length_ < 0 || max_length_ == 1) v.reject("max_length", "expected 0 or at least 2");
  check_at_most(v, "max_length", max_length_, kMostTokens);
}

std::string TextTask::summary() const {
  return fmt::format("{}: {}, {}", declaration_.folder(), declaration_.summary,
                     declaration_.metric_name());
}

std::filesystem::path TextTask::file_of(const TaskInputs& inputs) const {
  const std::string name = declaration_.folder() + "/" + declaration_.name + ".jsonl";
  const std::filesystem::path path = inputs.data_folder / name;
  if (inputs.data_folder.empty() || !std::filesystem::exists(path))
    config_error(
        "task {}: no file {} (--data or WKVQ_DATA names the folder{}); expected the published set, "
        "one JSON object a line (docs/generation.md says where it comes from)",
        declaration_.task_name(), name,
        inputs.data_folder.empty() ? "; none is given"
                                   : ", here '" + inputs.data_folder.string() + "'");
  return path;
}

std::vector<Request> TextTask::prepare(const TaskInputs& inputs) {
  const std::filesystem::path path = file_of(inputs);
  tokenizer_ = inputs.text->tokenizer;
  const PromptLimits limits{
      .cut_to = max_length_ > 0 ? max_length_ : inputs.max_context - declaration_.max_tokens,
      .most = inputs.most() - declaration_.max_tokens};
  if (limits.most < 2)
    config_error("task {}: answers of {} tokens, but the model reads at most {}",
                 declaration_.task_name(), declaration_.max_tokens, inputs.max_context);
  items_ = read_text_items(declaration_, path, limit_);
  prompt_tokens_.clear();
  cut_.clear();
  std::vector<Request> requests;
  for (TextItem& item : items_) {
    LongPrompt prompt = long_prompt(*inputs.text, declaration_, item, chat_, limits);
    const auto length = static_cast<int64_t>(prompt.tokens.size());
    prompt_tokens_.push_back(length);
    cut_.push_back(prompt.cut);
    requests.push_back({.tokens = std::move(prompt.tokens),
                        .score_from = length,
                        .prefill = length,
                        .generation = {.max_tokens = declaration_.max_tokens}});
    item.fields.clear();
  }
  Hasher hasher;
  fingerprint_ = hasher.add_part(hash_file(path)).add_part(declaration_.prompt).hex();
  convention_ = fmt::format(
      "{}: {}{} items, greedy, at most {} tokens, prompts of more than {} tokens cut {} ({} are), "
      "{}best score over references, mean x 100",
      declaration_.task_name(), limit_ > 0 ? "the first " : "", items_.size(),
      declaration_.max_tokens, limits.cut_to,
      declaration_.suite == TextSuite::kLongBench ? "in the middle" : "at the document's end",
      std::ranges::count(cut_, 1), declaration_.first_line ? "first line of the answer, " : "");
  return requests;
}

double TextTask::score_of(const std::string& answer, const TextItem& item) const {
  const std::string counted = declaration_.first_line ? first_line_of(answer) : answer;
  double best = 0;
  for (const std::string& reference : item.answers)
    best = std::max(best, one_score(declaration_.metric, counted, reference, item.classes));
  return best;
}

std::vector<Metric> TextTask::score(const std::vector<Scored>& scored) const {
  if (scored.size() != items_.size())
    throw std::logic_error("text task: not one answer for every request");
  std::vector<int64_t> item, length, written;
  std::vector<double> scores;
  std::vector<std::vector<double>> groups;
  std::vector<std::string> answers, ids;
  for (size_t i = 0; i < items_.size(); ++i) {
    answers.push_back(generated_text(*tokenizer_, scored[i].generated, {}));
    scores.push_back(score_of(answers.back(), items_[i]));
    groups.push_back({scores.back()});
    item.push_back(static_cast<int64_t>(i));
    ids.push_back(items_[i].id);
    length.push_back(items_[i].length);
    written.push_back(static_cast<int64_t>(scored[i].generated.size()));
  }
  const ClusteredMean mean = clustered_mean(groups);
  Metric metric{declaration_.metric_name(),
                100 * mean.mean,
                100 * mean.standard_error,
                mean.n,
                convention_,
                {}};
  metric.rows = {{"item", item},
                 {"id", ids},
                 {"score", scores},
                 {"length", length},
                 {"cut", cut_},
                 {"prompt_tokens", prompt_tokens_},
                 {"answer_tokens", written},
                 {"answer", answers}};
  if (limit_ > 0) metric.attributes["limit"] = limit_;
  return {metric};
}

}  // namespace wkvq
