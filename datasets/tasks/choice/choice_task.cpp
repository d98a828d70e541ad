#include "datasets/tasks/choice/choice_task.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "datasets/tasks/choice/continuation_metrics.h"
#include "datasets/tasks/choice/text_filters.h"

namespace wkvq {

ChoiceTask::ChoiceTask(TaskDeclaration declaration, std::string selected)
    : declaration_(std::move(declaration)), selected_(std::move(selected)) {
  add_parts();
}

void ChoiceTask::add_parts() {
  if (declaration_.groups.empty()) parts_.push_back({{{}, {}, declaration_.file}, {}});
  for (const auto& [group, names] : declaration_.groups) {
    for (const std::string& name : names) {
      if (selected_.empty() || selected_ == group || selected_ == name)
        parts_.push_back({{name, group, declaration_.file + "/" + name + ".jsonl"}, {}});
    }
  }
}

void ChoiceTask::visit(OptionVisitor& v) {
  v("num_fewshot", options_.num_fewshot, "solved examples in front of each item");
  v("fewshot_seed", options_.fewshot_seed, "seed of their draw, as in lm-evaluation-harness");
  v("limit", options_.limit, "first so many items (of each part), 0: all");
  v.choice("bos", bos_, bos_rule_names(), "BOS as the tokenizer's files ask, none, or one");
  if (declaration_.form != TaskForm::kContinuation) {
    v("acc_bytes", acc_bytes_, "also report acc_bytes");
    v("acc_mutual_info", mutual_info_, "also report acc_mutual_info: runs each choice once more");
  }
  if (options_.num_fewshot < 0 || options_.num_fewshot > 1000)
    v.reject("num_fewshot", "expected 0 to 1000");
  if (options_.fewshot_seed < 0 || options_.fewshot_seed > UINT32_MAX)
    v.reject("fewshot_seed", "expected 0 to 4294967295");
  if (options_.limit < 0) v.reject("limit", "expected 0 (all) or more");
}

std::string ChoiceTask::summary() const {
  if (selected_.empty()) return declaration_.summary;
  return fmt::format("of {}, only {}", declaration_.name, selected_);
}

std::string ChoiceTask::label() const {
  std::string label = declaration_.name;
  if (!selected_.empty()) label += "_" + selected_;
  if (options_.num_fewshot > 0) label += fmt::format("-{}shot", options_.num_fewshot);
  if (options_.num_fewshot > 0 && options_.fewshot_seed != ItemOptions{}.fewshot_seed &&
      declaration_.fewshot.order == ShotOrder::kRandom)
    label += fmt::format("-seed{}", options_.fewshot_seed);
  if (options_.limit > 0) label += fmt::format("-first{}", options_.limit);
  if (bos_ != BosRule::kTokenizer) label += bos_ == BosRule::kNone ? "-nobos" : "-bos";
  return label;
}

bool ChoiceTask::reports(const std::string& metric) const {
  return declaration_.reports(metric) || (metric == "acc_bytes" && acc_bytes_) ||
         (metric == "acc_mutual_info" && mutual_info_);
}

namespace {

/// A link beside a declaration may lead into one of `folders`, not out of them.
void require_below(const std::filesystem::path& file,
                   const std::vector<std::filesystem::path>& folders, const std::string& task) {
  std::error_code ignored;
  const std::filesystem::path real = std::filesystem::weakly_canonical(file, ignored);
  for (const std::filesystem::path& folder : folders) {
    if (folder.empty()) continue;
    const std::filesystem::path root = std::filesystem::weakly_canonical(folder, ignored);
    if (std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end())
      return;
  }
  config_error("task {}: {} leads to {}, outside its folder; --data names the folder of its data",
               task, file.string(), real.string());
}

}  // namespace

std::filesystem::path ChoiceTask::find_file(const TaskInputs& inputs, const TaskPart& part) const {
  const std::filesystem::path beside = declaration_.folder;
  const std::string how =
      beside.empty() ? fmt::format(" (`scripts/fetch_data.py {}` writes it)", declaration_.name)
                     : fmt::format(", nor is it in {}", beside.string());
  if (inputs.data_folder.empty() && beside.empty())
    config_error("task {} reads {}{}: name its folder with --data DIR or WKVQ_DATA", label(),
                 part.file.string(), how);
  std::error_code ignored;
  const bool own = !beside.empty() && (inputs.data_folder.empty() ||
                                       std::filesystem::exists(beside / part.file, ignored));
  const std::filesystem::path file = (own ? beside : inputs.data_folder) / part.file;
  std::vector<std::filesystem::path> needed = {file};
  if (options_.num_fewshot > 0 && !declaration_.fewshot.split.empty())
    needed.push_back(fewshot_file(file));
  for (const std::filesystem::path& one : needed) {
    if (!std::filesystem::exists(one, ignored))
      config_error("task {}: no such file: {}{}; its folder is what --data or WKVQ_DATA names",
                   label(), one.string(), own ? "" : how);
    if (own) require_below(one, {beside, inputs.data_folder}, label());
  }
  return file;
}

void ChoiceTask::add_requests(const TaskItem& item, PairEncoder& encoder, Part& part,
                              std::vector<Request>& requests) const {
  // Without a context, choices share nothing with those that have one.
  const int64_t shared = requests.empty() ? 0 : requests.back().item + 1;
  ChoiceItem choices{.item = static_cast<int64_t>(part.items.size()),
                     .first = requests.size(),
                     .choices = item.choices.size(),
                     .label = item.label};
  for (size_t c = 0; c < item.choices.size(); ++c) {
    requests.push_back(encoder.encode(item.contexts[c], item.continuations[c], item.place));
    requests.back().item = shared;
    choices.lengths.push_back(
        {count_characters(item.choices[c]), static_cast<int64_t>(item.choices[c].size())});
  }
  for (size_t c = 0; reports("acc_mutual_info") && c < item.choices.size(); ++c) {
    requests.push_back(encoder.encode({}, declaration_.delimiter + item.choices[c], item.place));
    requests.back().item = shared + 1;
  }
  part.items.push_back(std::move(choices));
}

std::vector<Request> ChoiceTask::prepare(const TaskInputs& inputs) {
  PairEncoder encoder(*inputs.text, bos_, inputs.max_context);
  std::vector<Request> requests;
  Hasher hasher;
  hasher.add_part(declaration_.identity);
  int64_t in_files = 0;
  for (Part& part : parts_) {
    part.items.clear();
    TaskPart source = part.source;
    source.file = find_file(inputs, source);
    const TaskItems read = read_items(declaration_, source, options_);
    for (const TaskItem& item : read.items) add_requests(item, encoder, part, requests);
    in_files += read.in_file;
    hasher.add_part(hash_file(source.file));
    if (options_.num_fewshot > 0 && !declaration_.fewshot.split.empty())
      hasher.add_part(hash_file(fewshot_file(source.file)));
  }
  requests_ = requests.size();
  fingerprint_ = hasher.hex();
  convention_ = describe(in_files, encoder, inputs);
  return requests;
}

std::string ChoiceTask::describe(int64_t in_files, const PairEncoder& encoder,
                                 const TaskInputs& inputs) const {
  size_t items = 0;
  for (const Part& part : parts_) items += part.items.size();
  std::string shots = "0-shot";
  if (options_.num_fewshot > 0) {
    const TaskFewshot& from = declaration_.fewshot;
    shots = fmt::format("{}-shot ({} items, {})", options_.num_fewshot,
                        from.split.empty() ? "other test" : from.split,
                        from.order == ShotOrder::kFirst
                            ? "the first ones"
                            : fmt::format("drawn with seed {}", options_.fewshot_seed));
  }
  return fmt::format(
      "{} version {}: {}{} of {} items, {}, context and continuation tokenized together, {}, {} of "
      "{} requests cut on the left to {} tokens",
      declaration_.name + (selected_.empty() ? "" : "_" + selected_), declaration_.version,
      options_.limit > 0 ? "limit, " : "", items, in_files, shots, bos_words(*inputs.text, bos_),
      encoder.truncated(), encoder.requests(), inputs.max_context);
}

std::vector<Metric> ChoiceTask::score(const std::vector<Scored>& scored) const {
  if (scored.size() != requests_)
    throw std::logic_error(declaration_.name + ": not one answer for every request");
  std::vector<Metric> metrics;
  for (const char* name : {"perplexity", "acc", "acc_norm", "acc_bytes", "acc_mutual_info"}) {
    if (!reports(name)) continue;
    metrics.push_back(measure_parts(name, scored, {}));
    if (parts_.size() == 1 || parts_.front().source.group == parts_.back().source.group) continue;
    for (const auto& [group, parts] : declaration_.groups)
      metrics.push_back(measure_parts(name, scored, group));
  }
  return metrics;
}

Metric ChoiceTask::measure(const std::string& metric, const std::vector<Scored>& scored,
                           const std::vector<ChoiceItem>& items) const {
  if (declaration_.form == TaskForm::kContinuation)
    return metric == "perplexity" ? continuation_perplexity(scored, items, convention_)
                                  : continuation_accuracy(scored, items, convention_);
  static const std::map<std::string, ChoiceRule> rules = {
      {"acc", ChoiceRule::kAcc},
      {"acc_norm", ChoiceRule::kAccNorm},
      {"acc_bytes", ChoiceRule::kAccBytes},
      {"acc_mutual_info", ChoiceRule::kAccMutualInfo}};
  return choice_accuracy(rules.at(metric), scored, items, convention_);
}

Metric ChoiceTask::measure_parts(const std::string& metric, const std::vector<Scored>& scored,
                                 const std::string& group) const {
  std::vector<ChoiceItem> items;
  std::vector<std::string> names;
  std::vector<Metric> apart;
  for (const Part& part : parts_) {
    if (!group.empty() && part.source.group != group) continue;
    items.insert(items.end(), part.items.begin(), part.items.end());
    names.insert(names.end(), part.items.size(), part.source.name);
    apart.push_back(measure(metric, scored, part.items));
  }
  Metric all = measure(metric, scored, items);
  if (!group.empty()) all.metric += "_" + group;
  all.attributes = {{"task_version", declaration_.version}, {"num_fewshot", options_.num_fewshot}};
  if (options_.limit > 0) all.attributes["limit"] = options_.limit;
  if (declaration_.groups.empty()) return all;
  if (apart.size() > 1) all.stderr_ = pooled_standard_error(apart);
  all.convention += fmt::format("; {} parts, items weigh the same", apart.size());
  all.rows["part"] = std::move(names);
  return all;
}

}  // namespace wkvq
