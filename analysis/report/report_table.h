#pragma once

#include <string>
#include <vector>

#include "analysis/compare/baseline.h"
#include "analysis/read/report_columns.h"
#include "analysis/tables/table.h"

namespace wkvq {

/// All that the tables of a report are made of.
struct Report {
  std::vector<RunSummary> runs;
  std::vector<ReportColumn> columns;
  std::vector<std::string> same_as;
  std::vector<std::string> conventions;  ///< note i + 1
  BaselineDifferences differences;       ///< empty without --baseline
};

/// What the header of `column` says, part by part.
std::vector<std::string> header_of(const Report& report, const ReportColumn& column);

/// What `run` has in `column`.
Cell cell_of(const Report& report, const RunSummary& run, const ReportColumn& column);

/// One row for each of `runs`; evaluations that none of them has are left out.
Table table_of(const Report& report, const std::vector<const RunSummary*>& runs,
               const std::vector<ReportColumn>& columns);

/// One row a value of `rows`, one column a value of `columns`; the cells are `number`. ConfigError
/// where two of the runs share a cell.
TextTable pivot_of(const Report& report, const std::vector<const RunSummary*>& runs,
                   const std::pair<ReportColumn, ReportColumn>& axes, const ReportColumn& number);

/// The values of `key` among the runs, each once, in their order.
std::vector<std::optional<AttributeValue>> values_of(const std::vector<const RunSummary*>& runs,
                                                     const ReportColumn& key);

}  // namespace wkvq
