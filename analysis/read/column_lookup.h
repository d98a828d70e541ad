#pragma once

#include <string>
#include <vector>

#include "analysis/read/report_columns.h"

namespace wkvq {

/// The columns called `name`: a fact of the run (run_id, sweep, status, path, error or an attribute
/// of the file), a configuration key, cost.<name>, an evaluation (all variants of it), a metric
/// (all evaluations of it), or the unambiguous end of a configuration key. ConfigError with the
/// nearest name otherwise.
std::vector<ReportColumn> find_columns(const std::vector<RunSummary>& runs,
                                       const std::string& name);

}  // namespace wkvq
