#pragma once

#include <string>
#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// Finished runs whose configurations differ in nothing but `key` (a dotted key such as
/// calibration.seed) become one: every number is the mean over these draws, its standard error the
/// root mean square of theirs (draws share the test text, whose sampling error they do not
/// average out), and a number "<name>.spread" beside it is the standard deviation over draws. The
/// convention says so; the attribute "draws" counts them. Others stay as they are. ConfigError
/// where no configuration has the key.
std::vector<RunSummary> joined_draws(std::vector<RunSummary> runs, const std::string& key);

}  // namespace wkvq
