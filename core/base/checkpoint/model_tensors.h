#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/checkpoint/linears.h"
#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// One tensor that a checkpoint must hold.
struct TensorSpec {
  Role role;
  bool is_bias = false;
  std::string name;            ///< in full: "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;  ///< linears [out, in] or [out]

  int64_t elements() const;
};

/// Tensors of block `layer`.
std::vector<TensorSpec> block_tensors(const ModelConfig& config, int64_t layer);

/// Embedding, final norm and, where it is not tied to the embedding, the head.
std::vector<TensorSpec> outer_tensors(const ModelConfig& config);

}  // namespace wkvq
