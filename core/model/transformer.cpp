#include "core/model/transformer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/model/fused_ops.h"
#include "core/number/packed_weight.h"

namespace wkvq {
namespace {

/// [batch, seq, heads * head_dim] to a view [batch, seq, heads, head_dim].
at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads});
}

/// Hidden states may wait elsewhere (ModelSource::rest).
at::Tensor beside(const BlockWeights& weights, const at::Tensor& hidden) {
  return hidden.to(weights.input_norm.device(), /*non_blocking=*/true);
}

}  // namespace

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const at::Tensor y = basis.defined() ? at::matmul(x, basis) : x;
  if (observer) observer(y);
  if (!packed) return at::linear(input(y), weight, bias);
  const at::Tensor product = packed->multiply(y, input);
  return bias.defined() ? product + bias : product;
}

bool is_unchanged(const BlockWeights& original, const BlockWeights& block) {
  bool quantized_input = false;
  const auto tensors = [&](BlockWeights weights) {
    std::vector<at::Tensor> all{weights.input_norm, weights.post_norm, weights.query_norm,
                                weights.key_norm};
    weights.visit_linears([&](const char*, const Linear& linear) {
      all.push_back(linear.weight);
      all.push_back(linear.bias);
      all.push_back(linear.basis);
      quantized_input |= !linear.input.identity();
    });
    return all;
  };
  return std::ranges::equal(tensors(original), tensors(block),
                            [](const auto& x, const auto& y) { return x.is_same(y); }) &&
         !quantized_input;
}

AttentionInputs attention_inputs(const ModelConfig& config, const BlockWeights& weights,
                                 const Rope& rope, const at::Tensor& hidden,
                                 const Positions& positions) {
  const at::Tensor normed = rms_norm(beside(weights, hidden), weights.input_norm, config.norm_eps);
  at::Tensor query = split_heads(weights.query(normed), config.heads);
  at::Tensor key = split_heads(weights.key(normed), config.kv_heads);
  const at::Tensor value = split_heads(weights.value(normed), config.kv_heads);
  if (config.qk_norm) {
    query = rms_norm(query, weights.query_norm, config.norm_eps);
    key = rms_norm(key, weights.key_norm, config.norm_eps);
  }
  AttentionInputs inputs;
  inputs.key_before_rope = key.transpose(1, 2);
  inputs.query = rope.apply(query.transpose(1, 2), positions);
  inputs.key = rope.apply(inputs.key_before_rope, positions);
  inputs.value = value.transpose(1, 2);
  inputs.rope = &rope;
  inputs.positions = positions;
  return inputs;
}

at::Tensor forward_block(const ModelConfig& config, int64_t layer, const BlockWeights& weights,
                         const Rope& rope, const at::Tensor& hidden, const Positions& positions,
                         const AttentionFunction& attention) {
  TORCH_CHECK(hidden.dim() == 3 && hidden.size(2) == config.hidden_size,
              "forward_block: expected [batch, seq, ", config.hidden_size, "], got ",
              hidden.sizes());
  const at::Tensor entering = beside(weights, hidden);
  AttentionInputs inputs = attention_inputs(config, weights, rope, entering, positions);
  inputs.sliding_window = config.window_of(layer);
  const at::Tensor heads = attention(inputs);
  const at::Tensor joined = heads.transpose(1, 2).reshape(
      {hidden.size(0), hidden.size(1), config.heads * config.head_dim});
  const at::Tensor middle = add_residual(entering, weights.output(joined));
  const at::Tensor normed = rms_norm(middle, weights.post_norm, config.norm_eps);
  const at::Tensor gated = silu_times(weights.gate(normed), weights.up(normed));
  return add_residual(middle, weights.down(gated));
}

Head::Head(at::Tensor norm, at::Tensor weight, double norm_eps)
    : norm_(std::move(norm)), weight_(std::move(weight)), norm_eps_(norm_eps) {}

at::Tensor Head::logits(const at::Tensor& hidden) const {
  return at::linear(rms_norm(hidden, norm_, norm_eps_), weight_);
}

}  // namespace wkvq
