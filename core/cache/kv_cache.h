#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/cache/token_step.h"
#include "core/kv/kv_codec.h"
#include "core/model/transformer.h"

namespace wkvq {

/// The cache of one block, grown token by token as a deployed model does it: the slow specification
/// of masked_attention. Tokens enter in full precision, are encoded exactly once when the view's
/// rule says so, and are read back by decoding their codes. Keeps its own bookkeeping of windows on
/// purpose: it must not share the mask's formulas.
class KvCache {
 public:
  KvCache(const KvCodec& codec, const KvViewOptions& view)
      : view_(view), keys_{.codec = codec.key}, values_{.codec = codec.value} {}

  /// Takes in the keys and values [batch, kv_heads, n, head_dim] of the next n tokens and returns
  /// the attention of their queries [batch, heads, n, head_dim]. n > 1 only for the prompt:
  /// view.prefill tokens at once, attended in full precision.
  at::Tensor step(const AttentionInputs& in);
  /// The same of the one sequence there is, in float32 on the CPU. Where nothing is quantized,
  /// without tensors: equal to rounding, products and sums have another order; else bit for bit.
  void step(const TokenStep& in, Team& team);

  int64_t tokens() const { return tokens_; }
  /// Bytes of all memory that keys and values take: codes and what they decode to.
  int64_t held_bytes() const;

  /// Tokens encoded together, as they are stored.
  struct Stored {
    int64_t position = 0;  ///< of the first one
    int64_t tokens = 0;
    EncodedKv codes;
  };
  /// All codes there are, oldest first; what is once here never changes.
  const std::vector<Stored>& stored_keys() const { return keys_.stored; }
  const std::vector<Stored>& stored_values() const { return values_.stored; }
  /// Tokens that are stored as codes; the others are in full precision.
  int64_t encoded_keys() const { return keys_.encoded; }
  int64_t encoded_values() const { return values_.encoded; }

 private:
  /// A tensor [batch, kv_heads, tokens, head_dim] that grows by doubling.
  struct Growing {
    at::Tensor data;
    int64_t tokens = 0;
    void append(const at::Tensor& x);
    /// x [kv_heads, head_dim] of one token of the one sequence there is.
    void append(const float* x, const TokenStep& in);
    at::Tensor slice(int64_t begin, int64_t count) const { return data.narrow(2, begin, count); }
  };
  /// Keys or values by position, in regions [sinks | stored | recent].
  struct Side {
    KvTensorCodec codec;
    /// What attention reads: of stored tokens what their codes decode to (decoding is pure, so it
    /// is done once), of the others the exact vector.
    Growing seen;
    Growing before_rope;  ///< all keys before RoPE, where the codec takes these; else empty
    std::vector<Stored> stored;
    int64_t sinks = 0;
    int64_t encoded = 0;

    int64_t recent() const { return seen.tokens - sinks - encoded; }
  };
  void push(const AttentionInputs& in);
  at::Tensor attend(const at::Tensor& query, int64_t sliding_window) const;
  void attend(const TokenStep& in, Team& team) const;
  /// The oldest `count` recent tokens become codes.
  void encode_oldest(Side& side, int64_t count) const;
  /// Encodes what has left the window; before the step's attention or after it.
  void settle_before();
  void settle_after();

  KvViewOptions view_;
  const Rope* rope_ = nullptr;
  Side keys_, values_;
  int64_t tokens_ = 0;
};

}  // namespace wkvq
