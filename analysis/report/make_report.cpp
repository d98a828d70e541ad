#include "analysis/report/make_report.h"

#include <algorithm>

#include "analysis/compare/draws.h"
#include "analysis/read/column_lookup.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/merge_columns.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

/// Quantiles of KL have no standard error and are shown when asked for; so are llama.cpp's
/// statistics, which `wkvq show` prints, and the status where all runs are done.
void drop_unasked(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns) {
  const bool all_done =
      std::ranges::all_of(runs, [](const RunSummary& run) { return run.status == "done"; });
  std::erase_if(columns, [&](const ReportColumn& column) {
    if (column.kind == Kind::kRun && column.name == "status") return all_done;
    static const std::vector<std::string> unasked{"kl_median", "kl_p99", "perplexity_ratio",
                                                  "delta_p", "delta_p_rms"};
    return column.kind == Kind::kEvaluation &&
           std::ranges::any_of(
               unasked, [&](const std::string& name) { return column.metric.ends_with(name); });
  });
}

std::vector<ReportColumn> columns_of(const ReportOptions& options, Report& report) {
  const bool csv = options.format == "csv";
  if (options.columns.empty()) {
    auto columns = default_columns(report.runs, report.same_as);
    if (csv && columns.front().name != "run_id")
      columns.insert(columns.begin(), find_columns(report.runs, "run_id").front());
    if (!csv) {
      drop_unasked(report.runs, columns);
      merge_columns(report.runs, columns);
    }
    return columns;
  }
  std::vector<ReportColumn> columns;
  for (const std::string& name : options.columns) {
    auto found = find_columns(report.runs, name);
    if (!csv) merge_columns(report.runs, found);
    columns.insert(columns.end(), found.begin(), found.end());
  }
  return columns;
}

void collect_conventions(Report& report) {
  const auto note = [&](const std::string& convention) {
    if (!convention.empty() &&
        std::ranges::find(report.conventions, convention) == report.conventions.end())
      report.conventions.push_back(convention);
  };
  for (const ReportColumn& column : report.columns) {
    note(column.convention);
    for (const ReportColumn& other : column.also) note(other.convention);
  }
}

}  // namespace

Report make_report(const ReportOptions& options) {
  Report report;
  report.runs = load_runs(options.paths);
  if (!options.draws.empty()) report.runs = joined_draws(std::move(report.runs), options.draws);
  std::ranges::stable_partition(report.runs, is_full_precision);
  report.columns = columns_of(options, report);
  if (!options.baseline.empty()) {
    report.differences = differences_to(options.baseline, report.runs, report.columns);
    add_difference_columns(report.differences, report.runs, report.columns);
  }
  if (options.format != "csv") add_mode_columns(report.runs, report.columns);
  shorten_labels(report.columns);
  collect_conventions(report);
  return report;
}

}  // namespace wkvq
