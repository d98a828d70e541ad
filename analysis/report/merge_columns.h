#pragma once

#include <vector>

#include "analysis/read/report_columns.h"

namespace wkvq {

/// Evaluations of one metric and data set that no run has side by side become one column: a sweep
/// over KV modes, contexts or names would else be a staircase of empty cells.
void merge_columns(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns);

/// Puts a column that says each row's KV mode before the evaluations, where one has them by row.
void add_mode_columns(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns);

}  // namespace wkvq
