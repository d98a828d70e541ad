#include "analysis/compare/draws.h"

#include <algorithm>
#include <cmath>

#include "analysis/read/load_runs.h"
#include "core/base/error.h"

namespace wkvq {

namespace {

using Draws = std::vector<const RunSummary*>;

/// `run` without `key` in its configuration.
hdf5::NamedAttributes other_settings(const RunSummary& run, const std::string& key) {
  hdf5::NamedAttributes settings = run.config;
  std::erase_if(settings, [&](const auto& setting) { return setting.first == key; });
  return settings;
}

bool same_kind(const Evaluation& a, const Evaluation& b) {
  return a.name == b.name && a.metric == b.metric && a.kv_mode == b.kv_mode &&
         a.dataset == b.dataset && a.convention == b.convention && a.n == b.n;
}

/// `first` in all draws; fewer where one lacks it.
std::vector<Evaluation> of_all(const Draws& draws, const Evaluation& first) {
  std::vector<Evaluation> found;
  for (const RunSummary* run : draws)
    for (const Evaluation& evaluation : run->evaluations)
      if (same_kind(first, evaluation)) found.push_back(evaluation);
  return found;
}

/// Mean and spread of one number.
std::vector<Evaluation> averaged(const std::vector<Evaluation>& numbers, const std::string& key) {
  const auto count = static_cast<double>(numbers.size());
  const double first = numbers.front().value;
  double sum = 0, variance = 0, squares = 0;  // sum of distances: equal numbers have no spread
  for (const Evaluation& number : numbers) {
    sum += number.value - first;
    variance += number.stderr_ * number.stderr_;
  }
  Evaluation mean = numbers.front();
  mean.value = first + sum / count;
  mean.stderr_ = std::sqrt(variance / count);
  mean.convention += (mean.convention.empty() ? "mean over draws, " : "; mean over draws, ") + key;
  for (const Evaluation& number : numbers)
    squares += (number.value - mean.value) * (number.value - mean.value);
  Evaluation spread = mean;
  spread.name += ".spread";
  spread.metric += " spread";
  spread.value = std::sqrt(squares / (count - 1));
  spread.stderr_ = NAN;
  return {mean, spread};
}

RunSummary joined(const Draws& draws, const std::string& key) {
  RunSummary run = *draws.front();
  run.config = other_settings(run, key);
  run.attributes.emplace_back("draws", static_cast<int64_t>(draws.size()));
  run.evaluations.clear();
  for (const Evaluation& first : draws.front()->evaluations) {
    const std::vector<Evaluation> numbers = of_all(draws, first);
    if (numbers.size() != draws.size()) continue;
    for (Evaluation& number : averaged(numbers, key)) run.evaluations.push_back(std::move(number));
  }
  return run;
}

}  // namespace

std::vector<RunSummary> joined_draws(std::vector<RunSummary> runs, const std::string& key) {
  if (std::ranges::none_of(runs, [&](const auto& run) { return config_value(run, key); }))
    config_error(
        "--draws '{}': no run has it; expected a configuration key such as calibration.seed", key);
  std::vector<RunSummary> result;
  std::vector<bool> taken(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    if (taken[i]) continue;
    Draws draws{&runs[i]};
    for (size_t j = i + 1; j < runs.size() && runs[i].status == "done"; ++j) {
      if (taken[j] || runs[j].status != "done" || runs[j].sweep != runs[i].sweep ||
          other_settings(runs[i], key) != other_settings(runs[j], key))
        continue;
      draws.push_back(&runs[j]);
      taken[j] = true;
    }
    result.push_back(draws.size() > 1 ? joined(draws, key) : runs[i]);
  }
  return result;
}

}  // namespace wkvq
