#pragma once

#include <string>
#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// A JSON array with one object a run; its shape is a promise to scripts (results/README.md):
///   {"run_id", "sweep", "status", "config": {nested}, "evaluation": {"<name>": {"metric", "value",
///    "stderr", "n", "kv_mode", "convention"}}, "cost": {}}
/// and "error" where the run failed or its file cannot be read. NaN and infinity are null.
std::string runs_as_json(const std::vector<RunSummary>& runs);

}  // namespace wkvq
