#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "analysis/published/published_numbers.h"
#include "analysis/report/report.h"
#include "analysis/tables/text_table.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// One row for every evaluation of a finished run and published number of the same setting; a row
/// without a value, saying so, where there is none.
TextTable published_table(const std::vector<RunSummary>& runs,
                          const std::vector<PublishedNumber>& numbers);

/// What the marks of published_table() mean.
std::string published_legend();

/// The table for the numbers that the program holds, under a title and with what its marks mean.
void print_published(const std::vector<RunSummary>& runs, const ReportOptions& options,
                     std::ostream& out);

}  // namespace wkvq
