#pragma once

#include <cstdint>

namespace wkvq {

class Rope;
class Team;

/// One token of one sequence at the cache of a block: AttentionInputs of batch 1 in plain float32
/// memory, and where the result goes.
struct TokenStep {
  int64_t heads, kv_heads, head_dim;
  const float* query;                      ///< [heads, head_dim], after RoPE
  const float *key, *value;                ///< [kv_heads, head_dim]; the key after RoPE
  const float* key_before_rope = nullptr;  ///< as key
  const Rope* rope = nullptr;
  int64_t position = 0, sliding_window = 0;
  float* out = nullptr;  ///< [heads, head_dim]
};

}  // namespace wkvq
