#pragma once

#include <string>
#include <vector>

#include "analysis/report/lm_eval_json.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// One object an item or document of one task, from the raw rows of its evaluations; none where
/// these are windows of running text, which the harness does not know. ConfigError where columns
/// differ in length.
std::vector<nlohmann::ordered_json> lm_eval_samples(
    const hdf5::Reader& file, const std::vector<const Evaluation*>& evaluations);

}  // namespace wkvq
