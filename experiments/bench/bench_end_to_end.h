#pragma once

#include "core/base/checkpoint/model_config.h"
#include "experiments/bench/bench.h"

namespace wkvq {

/// Bytes that the contestants of an end-to-end case hold together.
double end_to_end_bytes(const ModelConfig& model, const BenchOptions& options, int64_t context,
                        int64_t bits);

/// ConfigError where `needed` bytes are more than `available`, which the system says are free.
void require_memory(double needed, double available, const ModelConfig& model);
/// Bytes that can be taken without swapping (MemAvailable).
double available_bytes();

/// A decode step of a whole model of random weights, from a token's embedding to its successor, at
/// `context` tokens a sequence: weights and cache in `bits` bits, against float32 and bfloat16 (on
/// a device float16) with the library's products and attention.
BenchCase end_to_end_case(const ModelConfig& model, const BenchOptions& options, int64_t context,
                          int64_t bits);

}  // namespace wkvq
