#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analysis/compare/compare.h"
#include "analysis/read/report_columns.h"

namespace wkvq {

/// True where everything that the method has bits for has 16 or more of them.
bool is_full_precision(const RunSummary& run);

/// What runs lose against a baseline, by path of the run and name of the evaluation.
struct BaselineDifferences {
  std::map<std::pair<std::string, std::string>, Comparison> found;
  std::vector<std::string> notes;  ///< which run the baseline is, and what could not be paired

  /// Null where there is none.
  const Comparison* of(const RunSummary& run, const Evaluation* evaluation) const;
};

/// Pairs every finished run's evaluations in `columns` with those of its baseline, raw row by raw
/// row. `asked`: "auto" (full precision), a run file, or a shell pattern over run ids; of several
/// that fit, each run takes the one whose configuration differs from its own in the fewest keys. A
/// file that is not among `runs` joins them; baselines go first, and the attribute "baseline" says
/// each run's. ConfigError where nothing fits.
BaselineDifferences differences_to(const std::string& asked, std::vector<RunSummary>& runs,
                                   const std::vector<ReportColumn>& columns);

/// A difference column behind each evaluation that has one, and column "baseline" where it is not
/// the same for all. A baseline without a standard error gets none: there the difference says no
/// more than the value.
void add_difference_columns(const BaselineDifferences& differences,
                            const std::vector<RunSummary>& runs,
                            std::vector<ReportColumn>& columns);

}  // namespace wkvq
