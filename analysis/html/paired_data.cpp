#include "analysis/html/paired_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "analysis/compare/significance.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using nlohmann::ordered_json;

constexpr size_t kLeastClusters = 30;  ///< joined ones, so that their t test keeps its power

struct Entry {
  size_t run = 0, column = 0, group = 0;
  bool has_error = false;
  std::vector<double> sums;
};

struct Group {
  std::string data, unit;
  std::vector<double> weight;
  size_t first = 0;  ///< entry
};

struct Paired {
  std::vector<Group> groups;
  std::vector<Entry> entries;
  std::vector<std::string> notes;
};

void add(Paired& paired, ClusterSums&& sums, const Evaluation& evaluation, Entry entry) {
  Comparison shown{.value = sums.value, .unit = sums.unit};
  if (evaluation.metric == "bits_per_byte") {
    shown.value = "bits";
    sums.data += "bits";
    for (double& sum : sums.sums) sum /= std::numbers::ln2;
  }
  auto group = std::ranges::find(paired.groups, sums.data, &Group::data);
  if (group == paired.groups.end())
    group = paired.groups.insert(
        group, {sums.data, unit_of(shown), std::move(sums.weight), paired.entries.size()});
  entry.group = static_cast<size_t>(group - paired.groups.begin());
  entry.sums = std::move(sums.sums);
  paired.entries.push_back(std::move(entry));
}

Paired collect(const Report& report) {
  Paired paired;
  for (size_t run = 0; run < report.runs.size(); ++run) {
    if (report.runs[run].status != "done") continue;
    const hdf5::Reader file(report.runs[run].path);
    for (size_t column = 0; column < report.columns.size(); ++column) {
      if (report.columns[column].kind != Kind::kEvaluation) continue;
      const Evaluation* one = evaluation_of(report.runs[run], report.columns[column]);
      if (!one) continue;
      try {
        add(paired, cluster_sums({file, *one}), *one, {run, column, 0, one->stderr_ > 0, {}});
      } catch (const ConfigError& error) {
        const std::string note = fmt::format("{} is not paired: {}", one->name, error.what());
        if (std::ranges::count(paired.notes, note) == 0) paired.notes.push_back(note);
      }
    }
  }
  return paired;
}

/// Sums of neighbours, `count` of them.
std::vector<double> joined(const std::vector<double>& values, size_t count) {
  if (values.size() <= count) return values;
  std::vector<double> result(count, 0.0);
  for (size_t i = 0; i < values.size(); ++i) result[i * count / values.size()] += values[i];
  return result;
}

/// The most clusters of a group that keep the file within `budget`.
size_t most_clusters(const Paired& paired, int64_t budget) {
  constexpr double kBytes = 4 * 4.0 / 3;
  std::vector<size_t> sizes;
  for (const Entry& entry : paired.entries) sizes.push_back(entry.sums.size());
  const auto bytes = [&](size_t most) {
    double sum = 0;
    for (const size_t size : sizes) sum += kBytes * static_cast<double>(std::min(size, most));
    return sum;
  };
  size_t most = sizes.empty() ? 0 : *std::ranges::max_element(sizes);
  while (most > kLeastClusters && bytes(most) > static_cast<double>(budget)) most = most * 7 / 8;
  return std::max(most, kLeastClusters);
}

ordered_json group_json(const Group& group, size_t most) {
  const std::vector<double> weight = joined(group.weight, most);
  ordered_json critical = ordered_json::array();
  for (const double level : kStarLevels)
    if (weight.size() > 1)
      critical.push_back(student_critical(level, static_cast<double>(weight.size() - 1)));
  return {{"unit", group.unit},
          {"clusters", weight.size()},
          {"critical", critical},
          {"weight", base64(weight.data(), weight.size() * sizeof(double))}};
}

}  // namespace

std::string base64(const void* bytes, size_t count) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto* in = static_cast<const uint8_t*>(bytes);
  std::string text;
  text.reserve((count + 2) / 3 * 4);
  for (size_t i = 0; i < count; i += 3) {
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < count ? in[i + k] : 0U);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= count ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

ordered_json paired_data(const Report& report, int64_t budget) {
  Paired paired = collect(report);
  const size_t most = most_clusters(paired, budget);
  ordered_json groups = ordered_json::array(), entries = ordered_json::array();
  size_t largest = 0;
  for (const Group& group : paired.groups) {
    groups.push_back(group_json(group, most));
    largest = std::max(largest, group.weight.size());
  }
  if (largest > most)
    paired.notes.push_back(fmt::format(
        "To keep this file small, neighbouring windows, documents or items are joined to at most "
        "{} clusters; differences are the same, their standard errors those over these clusters. "
        "`wkvq report --baseline` has them unjoined.",
        most));
  for (const Entry& entry : paired.entries) {
    const std::vector<double>& reference = paired.entries[paired.groups[entry.group].first].sums;
    std::vector<double> less = entry.sums;
    for (size_t i = 0; i < less.size(); ++i) less[i] -= reference[i];
    less = joined(less, most);
    const std::vector<float> rounded(less.begin(), less.end());
    entries.push_back({entry.run, entry.column, entry.group, entry.has_error,
                       base64(rounded.data(), rounded.size() * sizeof(float))});
  }
  return {{"groups", groups}, {"entries", entries}, {"notes", paired.notes}};
}

}  // namespace wkvq
