#pragma once

#include <cstdint>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// Parameters by component; a tied head counts once, as embedding.
struct ParameterCounts {
  int64_t attention = 0;  ///< q, k, v, o of all blocks
  int64_t mlp = 0;        ///< gate, up, down of all blocks
  int64_t norms = 0;      ///< and biases
  int64_t embedding = 0;
  int64_t head = 0;  ///< 0 where it is tied

  int64_t linears() const { return attention + mlp; }
  int64_t total() const { return linears() + norms + embedding + head; }
};

ParameterCounts count_parameters(const ModelConfig& config);

/// Elements that keys and values add per token: 2 layers kv_heads head_dim.
int64_t kv_elements_per_token(const ModelConfig& config);

/// Bits stored per element: `bits` + `overhead_bits` (scale and zero point) / `group_size`. 16 bits
/// and more are not quantized and cost 16. E.g. 4 bits, groups of 128, a 16-bit scale and a 4-bit
/// zero point: 4.156.
double effective_bits(int64_t bits, int64_t group_size, double overhead_bits);

/// What is to be stored.
struct MemoryQuestion {
  double weight_bits = 16;  ///< effective bits of the linears
  double kv_bits = 16;      ///< effective bits of keys and values
  double other_bits = 16;   ///< embedding, head, norms, biases
  int64_t context = 2048;   ///< tokens a sequence
  int64_t batch = 1;
  int64_t recent_window =
      0;  ///< tokens a sequence whose keys and values are kept in 16 bits besides
};

/// Bytes by component.
struct MemoryBytes {
  double attention = 0, mlp = 0, norms = 0, embedding = 0, head = 0, kv = 0, recent_window = 0;

  double weights() const { return attention + mlp + norms + embedding + head; }
  double total() const { return weights() + kv + recent_window; }
};

MemoryBytes memory_of(const ModelConfig& config, const MemoryQuestion& question);

}  // namespace wkvq
