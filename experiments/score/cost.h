#pragma once

#include "core/base/recorder.h"
#include "core/model/checkpoint.h"
#include "experiments/config/run_config.h"

namespace wkvq {

/// Stored bits a value, scales and minima included, of one block.
struct StoredBits {
  double weight = 0;  ///< mean over the elements of the seven linears
  double key = 0;
  double value = 0;
};
StoredBits stored_bits(const Method& method, int64_t layer, const ModelConfig& model,
                       int64_t compute_bits);

/// Elements of the seven linears of a block.
int64_t weight_elements(const ModelConfig& model);

/// Bits of a value as computed with.
int64_t compute_bits(const RunConfig& config);

/// Writes /cost: peak_bytes_host (of the process so far); stored_bits_per_weight,
/// stored_bits_per_key and _value, means over all blocks;
/// bytes_<component> at those bits for a cache of the model's full context, batch 1.
void record_cost(Recorder& recorder, const RunConfig& config, const Checkpoint& checkpoint);

}  // namespace wkvq
