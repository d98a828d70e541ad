#include "analysis/html/flipped_items.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/compare/paired_rows.h"
#include "analysis/read/number_column.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostAnswers = 400'000;  ///< runs times items: some bytes each
constexpr size_t kMostItems = 300;        ///< of a group: their texts
constexpr size_t kContextWidth = 400, kChoiceWidth = 300;

struct Answers {
  size_t run = 0;
  std::vector<bool> right;
  std::vector<double> predictions;  ///< empty where there are none
};

struct Group {
  std::string key, title;
  const RunSummary* run = nullptr;  ///< the first, whose data are read
  const Evaluation* evaluation = nullptr;
  std::vector<std::string> names;
  std::vector<double> labels;  ///< empty where there are none
  std::vector<Answers> answers;
};

void add(std::vector<Group>& groups, size_t index, const RunSummary& run, const hdf5::Reader& file,
         const Evaluation& evaluation) {
  ClusterSums sums = cluster_sums({file, evaluation});
  const std::string key = sums.data + evaluation.metric + "|" + evaluation.kv_mode;
  auto group = std::ranges::find(groups, key, &Group::key);
  const std::string rows = "/evaluation/" + evaluation.name;
  if (group == groups.end())
    group = groups.insert(group, {key,
                                  fmt::format("{} {}, kv {}", evaluation.metric, evaluation.dataset,
                                              evaluation.kv_mode),
                                  &run,
                                  &evaluation,
                                  std::move(sums.items),
                                  number_column(file, rows, "label"),
                                  {}});
  Answers answers{index, {}, number_column(file, rows, "prediction")};
  for (const double one : sums.sums) answers.right.push_back(one > 0);
  group->answers.push_back(std::move(answers));
}

std::vector<Group> collect(const std::vector<RunSummary>& runs) {
  std::vector<Group> groups;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].status != "done") continue;
    const hdf5::Reader file(runs[i].path);
    for (const Evaluation& evaluation : runs[i].evaluations) {
      if (!has_items({file, evaluation})) continue;
      try {
        add(groups, i, runs[i], file, evaluation);
      } catch (const ConfigError&) {
        // The section of paired differences says what is wrong with such rows.
      }
    }
  }
  std::erase_if(groups, [](const Group& group) { return group.answers.size() < 2; });
  return groups;
}

/// Rows that not all runs answered alike.
std::vector<size_t> varied_rows(const Group& group) {
  std::vector<size_t> rows;
  for (size_t row = 0; row < group.names.size(); ++row) {
    const bool first = group.answers.front().right[row];
    if (std::ranges::any_of(group.answers,
                            [&](const Answers& one) { return one.right[row] != first; }))
      rows.push_back(row);
  }
  return rows;
}

/// The end of a context is what the choices follow.
std::string end_of(const std::string& text) {
  const std::string whole = printable(text);
  size_t from = whole.size() > kContextWidth ? whole.size() - kContextWidth : 0;
  while (from < whole.size() && (static_cast<unsigned char>(whole[from]) & 0xC0U) == 0x80U) ++from;
  return from == 0 ? whole : "…" + whole.substr(from);
}

/// -1 where there is none.
int64_t whole_number(const std::vector<double>& values, size_t row) {
  return row < values.size() ? static_cast<int64_t>(values[row]) : -1;
}

ordered_json group_json(const Group& group, const std::vector<size_t>& rows, size_t varied,
                        const ItemTextSource& source) {
  ItemTexts texts{{}, "The data are not looked for here."};
  if (source && !rows.empty())
    texts = source(*group.run, *group.evaluation, rows, group.names.size());
  ordered_json items = ordered_json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    ordered_json choices = ordered_json::array();
    std::string context;
    if (i < texts.items.size()) {
      context = end_of(texts.items[i].context);
      for (const std::string& choice : texts.items[i].choices)
        choices.push_back(shortened(printable(choice), kChoiceWidth));
    }
    items.push_back(
        {printable(group.names[rows[i]]), whole_number(group.labels, rows[i]), context, choices});
  }
  const std::string note =
      rows.size() == varied
          ? ""
          : fmt::format(
                "Of {} items that runs answer differently, the first {} are here; "
                "`wkvq compare --items` has all.",
                varied, rows.size());
  return {{"title", printable(group.title)},
          {"absent", rows.empty() ? "" : printable(texts.absent)},
          {"note", note},
          {"items", items}};
}

ordered_json answers_json(const Answers& answers, size_t group, const std::vector<size_t>& rows) {
  std::string right;
  ordered_json predictions = ordered_json::array();
  for (const size_t row : rows) {
    right += answers.right[row] ? '1' : '0';
    if (!answers.predictions.empty()) predictions.push_back(whole_number(answers.predictions, row));
  }
  return {answers.run, group, right, predictions};
}

}  // namespace

ordered_json flipped_items(const std::vector<RunSummary>& runs, const ItemTextSource& texts) {
  const std::vector<Group> groups = collect(runs);
  ordered_json group_list = ordered_json::array(), entries = ordered_json::array();
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<size_t> rows = varied_rows(groups[i]);
    const size_t varied = rows.size();
    const size_t most =
        std::clamp<size_t>(kMostAnswers / groups.size() / groups[i].answers.size(), 1, kMostItems);
    rows.resize(std::min(rows.size(), most));
    group_list.push_back(group_json(groups[i], rows, varied, texts));
    for (const Answers& answers : groups[i].answers)
      entries.push_back(answers_json(answers, i, rows));
  }
  return {{"groups", group_list}, {"entries", entries}};
}

}  // namespace wkvq
