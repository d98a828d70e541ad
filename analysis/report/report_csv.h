#pragma once

#include <optional>
#include <ostream>

#include "analysis/report/report_table.h"

namespace wkvq {

/// Every number in full precision: evaluations under their names, with what makes them comparable
/// beside them. `key`: the column by whose values the rows are grouped; it comes first.
void print_csv(const Report& report, const std::optional<ReportColumn>& key, std::ostream& out);

}  // namespace wkvq
