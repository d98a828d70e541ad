#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/run_summary.h"

namespace wkvq {

/// One column of a report. Numbers of different metric, dataset, KV mode or convention never share
/// one, whatever their evaluation is called.
struct ReportColumn {
  enum class Kind { kRun, kConfig, kEvaluation, kCost };
  Kind kind = Kind::kRun;
  std::string name;  ///< run_id, status, ...; configuration key; evaluation; cost
  std::string label;
  std::string metric;  ///< this and below: evaluations
  std::string dataset;
  std::string kv_mode;
  std::string convention;
};

/// What the runs differ in, their evaluations and their status. Configuration keys that say the
/// same in every run as an earlier, shorter one are left out; `same_as` gets "kv.bits =
/// kv.key.bits".
std::vector<ReportColumn> default_columns(const std::vector<RunSummary>& runs,
                                          std::vector<std::string>& same_as);

/// The columns called `name`: a fact of the run (run_id, sweep, status, path, error or an attribute
/// of the file), a configuration key or its unambiguous end, an evaluation (all variants of it), or
/// cost.<name>. ConfigError with the nearest name otherwise.
std::vector<ReportColumn> find_columns(const std::vector<RunSummary>& runs,
                                       const std::string& name);

/// Every configuration label as short as it stays unambiguous: method.kv.bits becomes kv.bits.
void shorten_labels(std::vector<ReportColumn>& columns);

/// What `run` has for a column that is no evaluation.
std::optional<AttributeValue> value_of(const RunSummary& run, const ReportColumn& column);

/// Null where `run` has no such evaluation.
const Evaluation* evaluation_of(const RunSummary& run, const ReportColumn& column);

}  // namespace wkvq
