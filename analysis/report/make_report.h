#pragma once

#include "analysis/report/report.h"
#include "analysis/report/report_table.h"

namespace wkvq {

/// Reads the runs, full precision first, and decides on columns, differences and notes.
/// ConfigError for paths, columns or baselines that cannot be used.
Report make_report(const ReportOptions& options);

}  // namespace wkvq
