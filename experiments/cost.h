#pragma once

#include "core/base/recorder.h"
#include "core/checkpoint.h"
#include "experiments/run_config.h"

namespace wkvq {

/// Writes /cost: peak_bytes_host (of the process so far) and peak_bytes_device;
/// stored_bits_per_weight (mean over the seven linears), stored_bits_per_key and _value;
/// bytes_<component> at those bits for a cache of the model's full context, batch 1.
void record_cost(Recorder& recorder, const RunConfig& config, const Checkpoint& checkpoint);

}  // namespace wkvq
