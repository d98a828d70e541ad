#pragma once

#include <vector>

#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// Writes the columns of /index, one row an evaluation of a run: run_id, sweep, evaluation, metric,
/// value, stderr, n, kv_mode, convention, dataset, task; and as text every configuration key whose
/// values differ between the runs ("method.kv.bits"; empty where a run has none).
void write_merge_index(const std::vector<RunSummary>& runs, hdf5::Writer& file);

}  // namespace wkvq
