#include "analysis/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <numbers>
#include <numeric>

#include "analysis/tables/section.h"
#include "core/base/error.h"
#include "core/base/hdf5/probe.h"

namespace wkvq {
namespace {

using Evaluations = std::vector<const Evaluation*>;

/// The name without its KV mode: "perplexity.wikitext2.past" and "perplexity.wikitext2.none" are
/// one evaluation under two modes.
std::string stem(const Evaluation& evaluation) {
  const std::string ending = "." + evaluation.kv_mode;
  const std::string& name = evaluation.name;
  return name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

Evaluations with_stem(const RunSummary& run, const std::string& name, const std::string& mode) {
  Evaluations found;
  for (const Evaluation& evaluation : run.evaluations)
    if (stem(evaluation) == name && (mode.empty() || evaluation.kv_mode == mode))
      found.push_back(&evaluation);
  return found;
}

std::vector<std::string> stems_of(const RunSummary& run) {
  std::vector<std::string> names;
  for (const Evaluation& evaluation : run.evaluations)
    if (std::find(names.begin(), names.end(), stem(evaluation)) == names.end())
      names.push_back(stem(evaluation));
  return names;
}

/// Pairs of one stem: equal modes first, then what is left where a side has one left.
std::vector<std::pair<const Evaluation*, const Evaluation*>> pairs_of(Evaluations first,
                                                                      Evaluations second) {
  std::vector<std::pair<const Evaluation*, const Evaluation*>> pairs;
  std::erase_if(first, [&](const Evaluation* a) {
    const auto same = std::find_if(second.begin(), second.end(),
                                   [&](const Evaluation* b) { return a->kv_mode == b->kv_mode; });
    if (same == second.end()) return false;
    pairs.emplace_back(a, *same);
    second.erase(same);
    return true;
  });
  if (first.size() == 1 || second.size() == 1)
    for (const Evaluation* a : first)
      for (const Evaluation* b : second) pairs.emplace_back(a, b);
  return pairs;
}

RunSummary read_done(const std::filesystem::path& path) {
  RunSummary run = read_run(path);
  if (run.status != "done")
    config_error("{}: status {}; expected a run that is done", path.string(), run.status);
  return run;
}

RunComparison compare_unprotected(const CompareOptions& options) {
  RunComparison result{read_done(options.first), read_done(options.second), {}, {}};
  const hdf5::Reader first_file(options.first), second_file(options.second);
  const bool modes = !options.kv_modes.empty();
  for (const std::string& name : stems_of(result.first)) {
    const auto pairs = pairs_of(with_stem(result.first, name, modes ? options.kv_modes[0] : ""),
                                with_stem(result.second, name, modes ? options.kv_modes[1] : ""));
    if (pairs.empty())
      result.refusals.push_back({name, "the other run has nothing to pair it with"});
    for (const auto& [a, b] : pairs) {
      try {
        result.comparisons.push_back(
            compare_rows({first_file, *a}, {second_file, *b}, options.bootstrap));
      } catch (const ConfigError& error) {
        result.refusals.push_back({a->name, error.what()});
      }
    }
  }
  for (const std::string& name : stems_of(result.second))
    if (with_stem(result.first, name, "").empty())
      result.refusals.push_back({name, "the first run has no such evaluation"});
  return result;
}

}  // namespace

std::string unit_of(const Comparison& one) {
  if (one.value == "nll" || one.value == "kl") return "nats a " + one.unit;
  if (one.value == "bits") return "bits a byte";
  return one.value == "score" ? "score" : "share of " + one.unit + "s";
}

Comparison compare_rows(const EvaluationRows& first, const EvaluationRows& second,
                        const BootstrapOptions& bootstrap) {
  const PairedRows rows = pair_rows(first, second);
  Comparison result{.first = first.evaluation,
                    .second = second.evaluation,
                    .value = rows.value,
                    .unit = rows.unit,
                    .cluster = rows.cluster,
                    .clusters = static_cast<int64_t>(rows.sums.weight.size())};
  const auto mean = [&](const std::vector<double>& sums) {
    return std::reduce(sums.begin(), sums.end()) /
           std::reduce(rows.sums.weight.begin(), rows.sums.weight.end());
  };
  result.first_mean = mean(rows.sums.first);
  result.second_mean = mean(rows.sums.second);
  result.difference = paired_difference(rows.sums, bootstrap);
  if (result.first.metric == "bits_per_byte") {
    result.value = "bits";
    for (double* part :
         {&result.first_mean, &result.second_mean, &result.difference.value,
          &result.difference.standard_error, &result.difference.low, &result.difference.high})
      *part /= std::numbers::ln2;
  }
  if (rows.items.empty()) return result;
  for (size_t i = 0; i < rows.items.size(); ++i) {
    const bool before = rows.sums.first[i] > 0, after = rows.sums.second[i] > 0;
    if (before && !after) result.right_to_wrong.push_back(rows.items[i]);
    if (!before && after) result.wrong_to_right.push_back(rows.items[i]);
  }
  result.flips = mcnemar(static_cast<int64_t>(result.right_to_wrong.size()),
                         static_cast<int64_t>(result.wrong_to_right.size()));
  return result;
}

RunComparison compare_runs(const CompareOptions& options) {
  if (!options.kv_modes.empty() && options.kv_modes.size() != 2)
    config_error("--kv-modes: {} given; expected two, e.g. none,past", options.kv_modes.size());
  if (options.bootstrap.samples < 100)
    config_error("--bootstrap: {}; expected at least 100 samples", options.bootstrap.samples);
  // HDF5 crashes on some damaged files.
  CompareOptions quick = options;
  quick.bootstrap.samples = 1;
  const std::string crash = probe(1, [&](size_t) { compare_unprotected(quick); }).front();
  if (!crash.empty())
    config_error("{} or {}: damaged: reading it ended with {}", options.first.string(),
                 options.second.string(), crash);
  return compare_unprotected(options);
}

int compare_command(const CompareOptions& options, std::ostream& out) {
  require_section_format("compare", options.format);
  const RunComparison runs = compare_runs(options);
  if (options.format == "json")
    out << comparison_as_json(runs, options.bootstrap);
  else
    print_comparison(runs, options, out);
  return runs.comparisons.empty() ? 2 : 0;
}

}  // namespace wkvq
