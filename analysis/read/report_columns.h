#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// One column of a report. Numbers of different metric or dataset never share one, whatever their
/// evaluation is called; neither do KV modes and conventions, unless each row says its own.
struct ReportColumn {
  /// kDifference: of the evaluation that the column else is, to that of the baseline.
  enum class Kind { kRun, kConfig, kMode, kEvaluation, kDifference, kCost };
  Kind kind = Kind::kRun;
  std::string name;  ///< run_id, status, ...; configuration key; evaluation; cost
  std::string label;
  std::string metric;  ///< this and below: evaluations
  std::string dataset;
  std::string kv_mode;
  std::string convention;
  bool mode_by_row = false;          ///< any KV mode; a kMode column says which
  bool convention_by_row = false;    ///< any convention; each cell says which
  std::vector<ReportColumn> also;    ///< further evaluations, of other runs, in the same column
  std::vector<std::string> members;  ///< kMode: the evaluations whose mode it says
};

inline ReportColumn plain_column(ReportColumn::Kind kind, const std::string& name) {
  ReportColumn column;
  column.kind = kind;
  column.name = column.label = name;
  return column;
}

/// What the runs differ in, their evaluations and their status. Configuration keys that say the
/// same in every run as an earlier, shorter one are left out; `same_as` gets "kv.bits =
/// kv.key.bits".
std::vector<ReportColumn> default_columns(const std::vector<RunSummary>& runs,
                                          std::vector<std::string>& same_as);

/// Every distinct evaluation among the runs; those of one name stand together.
std::vector<ReportColumn> evaluation_columns(const std::vector<RunSummary>& runs);

/// Every configuration label as short as it stays unambiguous: method.kv.bits becomes kv.bits.
void shorten_labels(std::vector<ReportColumn>& columns);

/// What `run` has for a column that is no evaluation.
std::optional<AttributeValue> value_of(const RunSummary& run, const ReportColumn& column);

/// Null where `run` has none of the column's evaluations.
const Evaluation* evaluation_of(const RunSummary& run, const ReportColumn& column);

}  // namespace wkvq
