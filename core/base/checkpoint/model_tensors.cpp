#include "core/base/checkpoint/model_tensors.h"

#include <fmt/format.h>

#include <array>

namespace wkvq {
namespace {

enum class Extent { kOne, kHidden, kQueries, kKeys, kMlp, kHeadDim };
enum class When { kAlways, kQkvBias, kOutputBias, kMlpBias, kQkNorm };

/// One row of the table that all families share; `bias` says when the linear has one.
struct Row {
  Role role;
  const char* name;
  Extent out;
  Extent in;
  When present;
  When bias;
};

// When::kAlways as `bias` marks norms, which have none.
constexpr std::array<Row, 11> kBlockTable = {{
    {Role::kQuery, "self_attn.q_proj", Extent::kQueries, Extent::kHidden, When::kAlways,
     When::kQkvBias},
    {Role::kKey, "self_attn.k_proj", Extent::kKeys, Extent::kHidden, When::kAlways, When::kQkvBias},
    {Role::kValue, "self_attn.v_proj", Extent::kKeys, Extent::kHidden, When::kAlways,
     When::kQkvBias},
    {Role::kOutput, "self_attn.o_proj", Extent::kHidden, Extent::kQueries, When::kAlways,
     When::kOutputBias},
    {Role::kGate, "mlp.gate_proj", Extent::kMlp, Extent::kHidden, When::kAlways, When::kMlpBias},
    {Role::kUp, "mlp.up_proj", Extent::kMlp, Extent::kHidden, When::kAlways, When::kMlpBias},
    {Role::kDown, "mlp.down_proj", Extent::kHidden, Extent::kMlp, When::kAlways, When::kMlpBias},
    {Role::kInputNorm, "input_layernorm", Extent::kHidden, Extent::kOne, When::kAlways,
     When::kAlways},
    {Role::kPostNorm, "post_attention_layernorm", Extent::kHidden, Extent::kOne, When::kAlways,
     When::kAlways},
    {Role::kQueryNorm, "self_attn.q_norm", Extent::kHeadDim, Extent::kOne, When::kQkNorm,
     When::kAlways},
    {Role::kKeyNorm, "self_attn.k_norm", Extent::kHeadDim, Extent::kOne, When::kQkNorm,
     When::kAlways},
}};

int64_t extent_of(const ModelConfig& config, Extent extent) {
  switch (extent) {
    case Extent::kHidden:
      return config.hidden_size;
    case Extent::kQueries:
      return config.heads * config.head_dim;
    case Extent::kKeys:
      return config.kv_heads * config.head_dim;
    case Extent::kMlp:
      return config.intermediate_size;
    case Extent::kHeadDim:
      return config.head_dim;
    case Extent::kOne:
      break;
  }
  return 1;
}

bool holds(const ModelConfig& config, When when) {
  switch (when) {
    case When::kQkvBias:
      return config.qkv_bias;
    case When::kOutputBias:
      return config.output_bias;
    case When::kMlpBias:
      return config.mlp_bias;
    case When::kQkNorm:
      return config.qk_norm;
    case When::kAlways:
      break;
  }
  return true;
}

}  // namespace

int64_t TensorSpec::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

std::vector<TensorSpec> block_tensors(const ModelConfig& config, int64_t layer) {
  std::vector<TensorSpec> tensors;
  for (const Row& row : kBlockTable) {
    if (!holds(config, row.present)) continue;
    const std::string name = fmt::format("model.layers.{}.{}", layer, row.name);
    const int64_t out = extent_of(config, row.out);
    const bool is_norm = row.in == Extent::kOne;
    std::vector<int64_t> shape = {out};
    if (!is_norm) shape.push_back(extent_of(config, row.in));
    tensors.push_back({row.role, false, name + ".weight", shape});
    if (!is_norm && holds(config, row.bias)) {
      tensors.push_back({row.role, true, name + ".bias", {out}});
    }
  }
  return tensors;
}

std::vector<TensorSpec> outer_tensors(const ModelConfig& config) {
  const std::vector<int64_t> table = {config.vocab_size, config.hidden_size};
  std::vector<TensorSpec> tensors = {
      {Role::kEmbedding, false, "model.embed_tokens.weight", table},
      {Role::kFinalNorm, false, "model.norm.weight", {config.hidden_size}},
  };
  if (!config.tie_embeddings) tensors.push_back({Role::kHead, false, "lm_head.weight", table});
  return tensors;
}

}  // namespace wkvq
