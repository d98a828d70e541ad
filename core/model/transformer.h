#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

#include "core/base/checkpoint/linears.h"
#include "core/base/checkpoint/model_config.h"
#include "core/model/rope.h"
#include "core/number/activation_quantizer.h"

namespace wkvq {

// Shapes are [batch, heads, seq, head_dim] and [batch, seq, hidden]; weights are [out, in].

class PackedWeight;
struct WeightCodes;

/// y = Q(x basis) weight^T + bias.
struct Linear {
  at::Tensor weight;  ///< [out, in]; undefined where `packed` stands for it
  at::Tensor bias;    ///< [out] or undefined
  /// [in, in], orthonormal: where the input is quantized and the weight written in another basis
  /// than the model's; else undefined.
  at::Tensor basis;
  ActivationQuantizer input;                          ///< Q; the identity by default
  std::function<void(const at::Tensor& x)> observer;  ///< sees what Q gets; may be empty
  /// What `weight` decodes from, where BlockContext::keep_codes asks for it; else null.
  std::shared_ptr<const WeightCodes> codes;
  std::shared_ptr<const PackedWeight> packed;

  at::Tensor operator()(const at::Tensor& x) const;
};

/// The weights of one decoder block.
struct BlockWeights {
  Linear query, key, value, output, gate, up, down;
  at::Tensor input_norm, post_norm;  ///< [hidden]
  at::Tensor query_norm, key_norm;   ///< [head_dim]; undefined without ModelConfig::qk_norm

  /// Calls visitor(name, linear) for the linears in the order of kLinears.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    Linear* const linears[]{&query, &key, &value, &output, &gate, &up, &down};
    for (size_t i = 0; i < kLinears.size(); ++i) visitor(kLinears[i].name, *linears[i]);
  }
};

/// True where `block` computes what `original` does: its tensors are the same ones and no input is
/// quantized.
bool is_unchanged(const BlockWeights& original, const BlockWeights& block);

/// What attention reads of one block. There may be fewer queries than keys: the last ones. `value`
/// and `key_before_rope` may be strided views.
struct AttentionInputs {
  at::Tensor query;            ///< [batch, heads, seq, head_dim], after RoPE
  at::Tensor key;              ///< [batch, kv_heads, seq, head_dim], after RoPE
  at::Tensor value;            ///< [batch, kv_heads, seq, head_dim]
  at::Tensor key_before_rope;  ///< as key
  const Rope* rope = nullptr;  ///< turns key_before_rope into key
  Positions positions;         ///< of the keys; the queries are those of the last ones
  int64_t sliding_window = 0;  ///< 0: none; else tokens that a query sees, its own included
};

/// Causal attention, scores scaled by 1 / sqrt(head_dim); returns [batch, heads, seq, head_dim].
using AttentionFunction = std::function<at::Tensor(const AttentionInputs&)>;

/// Everything in front of attention: norm, projections, rotary embedding; see forward_block.
AttentionInputs attention_inputs(const ModelConfig& config, const BlockWeights& weights,
                                 const Rope& rope, const at::Tensor& hidden,
                                 const Positions& positions);

/// One decoder block: `hidden` [batch, seq, hidden], whose tokens stand at `positions`, to
/// the same shape. Leaves `hidden` as it is; it may be on another device than the weights, where
/// the result will be.
at::Tensor forward_block(const ModelConfig& config, int64_t layer, const BlockWeights& weights,
                         const Rope& rope, const at::Tensor& hidden, const Positions& positions,
                         const AttentionFunction& attention);

/// Final norm and language-model head.
class Head {
 public:
  /// `norm` [hidden], `weight` [vocab, hidden].
  Head(at::Tensor norm, at::Tensor weight, double norm_eps);

  /// [..., hidden] to [..., vocab].
  at::Tensor logits(const at::Tensor& hidden) const;
  at::Device device() const { return weight_.device(); }
  int64_t held_bytes() const { return static_cast<int64_t>(norm_.nbytes() + weight_.nbytes()); }

 private:
  at::Tensor norm_, weight_;
  double norm_eps_;
};

}  // namespace wkvq
