#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kv_codec.h"
#include "core/transformer.h"

namespace wkvq {

/// The cache of one block, grown token by token as a deployed model does it: the slow specification
/// of masked_attention. Tokens enter in full precision, are encoded exactly once when the view's
/// rule says so, and are read back by decoding their codes. Keeps its own bookkeeping of windows on
/// purpose: it must not share the mask's formulas.
class KvCache {
 public:
  KvCache(const KvCodec& codec, const KvViewOptions& view) : codec_(codec), view_(view) {}

  /// Takes in the keys and values [batch, kv_heads, n, head_dim] of the next n tokens and returns
  /// the attention of their queries [batch, heads, n, head_dim]. n > 1 only for the prompt:
  /// view.prefill tokens at once, attended in full precision.
  at::Tensor step(const AttentionInputs& in);

  int64_t tokens() const { return tokens_; }

 private:
  /// Keys or values: [sinks | stored | recent], oldest first.
  struct Side {
    std::vector<at::Tensor> sinks;
    std::vector<at::Tensor>
        stored;  ///< decode(encode(slice)): decoding is pure, so it is done once
    std::vector<at::Tensor> recent;
    /// The recent keys before RoPE, where the codec takes these; else empty.
    std::vector<at::Tensor> before_rope;
    int64_t next_position = 0;  ///< of recent.front()
  };
  /// Mode none: everything stays exact, in one tensor that grows by doubling.
  struct Growing {
    at::Tensor data;
    at::Tensor append(const at::Tensor& x, int64_t before);
  };
  /// Takes token `i` of the step in.
  void push(const AttentionInputs& in, int64_t i);
  at::Tensor attend(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                    int64_t sliding_window) const;
  void encode_oldest(Side& side, size_t count) const;
  /// Encodes what has left the window; before the step's attention or after it.
  void settle_before();
  void settle_after();
  at::Tensor read(const Side& side) const;

  KvCodec codec_;
  KvViewOptions view_;
  const Rope* rope_ = nullptr;
  Side keys_, values_;
  Growing exact_keys_, exact_values_;
  int64_t tokens_ = 0;
};

}  // namespace wkvq
