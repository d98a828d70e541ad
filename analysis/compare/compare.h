#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "analysis/compare/paired_rows.h"
#include "analysis/compare/paired_statistics.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// What `wkvq compare` was asked for.
struct CompareOptions {
  std::filesystem::path first, second;  ///< run files; may be one and the same
  std::string format = "table";         ///< one of section_formats()
  /// Two KV modes: compare the first run's evaluations of the first with the second run's of the
  /// second. Empty: equal modes, and whatever modes are left over where there is one on a side.
  std::vector<std::string> kv_modes = {};
  bool items = false;  ///< list every item that flipped, not the first ten
  BootstrapOptions bootstrap = {};
};

/// One evaluation of both runs, second minus first.
struct Comparison {
  Evaluation first, second;
  /// As in PairedRows; `value` is "bits" for bits_per_byte, whose rows are in nats.
  std::string value, unit, cluster;
  int64_t clusters = 0;
  double first_mean = 0, second_mean = 0;  ///< of value a unit, over the paired rows
  PairedDifference difference;             ///< of value a unit: nats a token, share of items, ...
  std::optional<McNemar> flips;            ///< where items are right or wrong
  std::vector<std::string> right_to_wrong, wrong_to_right;  ///< ids of items
};

/// "nats a token", "share of items", ...: what the difference is in.
std::string unit_of(const Comparison& one);

/// Pairs `first` with `second` row by row. ConfigError where they cannot be paired.
Comparison compare_rows(const EvaluationRows& first, const EvaluationRows& second,
                        const BootstrapOptions& bootstrap);

/// An evaluation that could not be compared.
struct Refusal {
  std::string name;
  std::string why;
};

struct RunComparison {
  RunSummary first, second;
  std::vector<Comparison> comparisons;
  std::vector<Refusal> refusals;
};

/// Compares what the run files share: evaluations of one metric and data set (or name), whatever
/// their KV mode. Only equal data in an equal convention is compared. ConfigError where a file
/// cannot be read or is not done.
RunComparison compare_runs(const CompareOptions& options);

/// Prints compare_runs(). Returns 0, or 2 where nothing could be compared.
int compare_command(const CompareOptions& options, std::ostream& out);

/// As compare_command prints it; `all_items` as CompareOptions::items.
std::string comparison_as_json(const RunComparison& runs, const BootstrapOptions& bootstrap);
void print_comparison(const RunComparison& runs, const CompareOptions& options, std::ostream& out);

}  // namespace wkvq
