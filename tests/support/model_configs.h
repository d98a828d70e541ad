#pragma once

#include "core/base/checkpoint/model_config.h"

namespace wkvq::test {

/// q, o: 8 x 8; k, v: 4 x 8; gate, up, down: 8 x 16; two norms of 8: 592 elements a block, at most
/// 128 a tensor; head and final norm: 264. 140 values a token inside of a block.
inline ModelConfig tiny_model() {
  ModelConfig config;
  config.family = "llama";
  config.hidden_size = 8;
  config.intermediate_size = 16;
  config.layers = 3;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 4;
  config.vocab_size = 32;
  config.tie_embeddings = true;
  return config;
}

/// Every width differs, so that no two can be mistaken for each other: 6 heads of 10 on 3 kv heads.
inline ModelConfig odd_widths() {
  ModelConfig config;
  config.family = "llama";
  config.hidden_size = 7;
  config.intermediate_size = 11;
  config.layers = 2;
  config.heads = 6;
  config.kv_heads = 3;
  config.head_dim = 10;
  config.vocab_size = 13;
  return config;
}

}  // namespace wkvq::test
