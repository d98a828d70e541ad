#include "core/base/checkpoint/model_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wkvq {
namespace {

enum class When { kAlways, kQkvBias, kOutputBias, kMlpBias, kQkNorm };

/// One row of the table that all families share; `bias` says when the linear has one.
struct Row {
  Role role;
  const char* name;
  When present = When::kAlways;
  When bias = When::kAlways;  ///< of norms, which have none, not read
};

constexpr std::array<Row, 11> kBlockTable = {{
    {Role::kQuery, "self_attn.q_proj", When::kAlways, When::kQkvBias},
    {Role::kKey, "self_attn.k_proj", When::kAlways, When::kQkvBias},
    {Role::kValue, "self_attn.v_proj", When::kAlways, When::kQkvBias},
    {Role::kOutput, "self_attn.o_proj", When::kAlways, When::kOutputBias},
    {Role::kGate, "mlp.gate_proj", When::kAlways, When::kMlpBias},
    {Role::kUp, "mlp.up_proj", When::kAlways, When::kMlpBias},
    {Role::kDown, "mlp.down_proj", When::kAlways, When::kMlpBias},
    {Role::kInputNorm, "input_layernorm"},
    {Role::kPostNorm, "post_attention_layernorm"},
    {Role::kQueryNorm, "self_attn.q_norm", When::kQkNorm},
    {Role::kKeyNorm, "self_attn.k_norm", When::kQkNorm},
}};

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
    const auto linear = std::ranges::find(kLinears, row.role, &LinearSpec::role);
    if (linear == kLinears.end()) {
      const bool of_heads = row.role == Role::kQueryNorm || row.role == Role::kKeyNorm;
      tensors.push_back(
          {row.role, false, name + ".weight", {of_heads ? config.head_dim : config.hidden_size}});
      continue;
    }
    const int64_t out = output_size(config, row.role), in = input_size(config, linear->input);
    tensors.push_back({row.role, false, name + ".weight", {out, in}});
    if (holds(config, row.bias)) tensors.push_back({row.role, true, name + ".bias", {out}});
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
