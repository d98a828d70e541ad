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

/// One line of JSON a run, flat, as experiment trackers log it: run_id, sweep, status, error,
/// config.<key>, <evaluation>, <evaluation>.stderr, .n, .metric, .dataset, .kv_mode, .convention,
/// cost.<name>, and the facts of the run (git, device, ...). NaN and infinity are null.
std::string runs_as_lines(const std::vector<RunSummary>& runs);

}  // namespace wkvq
