#pragma once

#include <ATen/core/Tensor.h>

#include "core/base/model_config.h"
#include "core/kv_view.h"
#include "core/quantizer.h"

namespace wkvq {

enum class KvAxis { kToken, kTime };
enum class GroupScope { kHead, kToken };
enum class ChannelMode { kNone, kStatic, kLearned };

/// Whether the channels of a head are mixed by a Hadamard matrix in front of the quantizer
/// (QuaRot's rotation of keys after RoPE), which spreads outliers; undone after it, so scores stay
/// the same.
enum class KvRotation { kNone, kHadamard };

/// Static per-channel transformation in front of the quantizer: x' = (x - shift) / scale, undone
/// after it: WKVQuant's two-dimensional quantization. `static`: from calibration, shift = (max +
/// min) / 2, scale = ((max - min) / 2)^exponent; `learned`: trained from there.
struct ChannelOptions {
  ChannelMode shift = ChannelMode::kNone;
  ChannelMode scale = ChannelMode::kNone;
  double exponent = 0.5;

  bool operator==(const ChannelOptions&) const = default;
  bool needs_statistics() const {
    return shift != ChannelMode::kNone || scale != ChannelMode::kNone;
  }
  bool learns() const { return shift == ChannelMode::kLearned || scale == ChannelMode::kLearned; }
  void visit(OptionVisitor& v);
};

/// How keys or values are quantized.
struct KvTensorOptions {
  int64_t bits = 16;
  int64_t group_size =
      -1;  ///< axis token: channels, -1: head_dim; axis time: tokens, named explicitly
  KvAxis axis = KvAxis::kToken;
  GroupScope group_scope = GroupScope::kHead;
  QuantForm form = QuantForm::kMinimum;
  ScaleDtype scale_dtype = ScaleDtype::kCompute;
  KvRotation rotate = KvRotation::kNone;  ///< after `channel`
  ChannelOptions channel;

  bool operator==(const KvTensorOptions&) const = default;
  void visit(OptionVisitor& v);
};

/// `method.kv`: fields for both, `key:` and `value:` override any of them, and the default view.
struct KvOptions {
  KvTensorOptions both, key, value;
  KvViewOptions view;

  void visit(OptionVisitor& v);
  bool identity() const { return key.bits == 16 && value.bits == 16; }
  bool needs_statistics() const {
    return key.channel.needs_statistics() || value.channel.needs_statistics();
  }
  bool learns() const { return key.channel.learns() || value.channel.learns(); }
};

/// Throws ConfigError where the options do not fit the model or each other under `view` (group
/// sizes, groups along time that would reach into the future).
void check_kv_options(const KvOptions& options, const KvViewOptions& view,
                      const ModelConfig& model);

/// Per channel range over all tokens seen, [kv_heads, head_dim]; streaming and mergeable.
struct ChannelRange {
  at::Tensor lowest, highest;
  /// `x` is [batch, kv_heads, seq, head_dim].
  void add(const at::Tensor& x);
};

/// Shift and scale of every channel, [kv_heads, head_dim]; undefined: none.
struct ChannelTransform {
  at::Tensor shift, scale;
};

/// What `options` asks for by calibration statistics; undefined parts where it asks for none.
ChannelTransform static_channels(const ChannelOptions& options, const ChannelRange& range);

/// The stored form of a slice of the cache.
struct EncodedKv {
  Encoded rows;
  int64_t batch = 0;
  int64_t kv_heads = 0;
  at::ScalarType dtype = at::kFloat;
};

/// Quantizes keys or values [batch, kv_heads, seq, head_dim]; every element once.
class KvTensorCodec {
 public:
  KvTensorCodec() = default;  ///< identity
  /// `range` may be empty where the options need no statistics.
  KvTensorCodec(const KvTensorOptions& options, const ChannelRange& range);
  /// Differentiable in the channels too.
  KvTensorCodec(const KvTensorOptions& options, const ChannelTransform& channels);

  bool identity() const { return options_.bits == 16; }
  /// The quantized copy of `x`, same shape and dtype.
  at::Tensor fake(const at::Tensor& x) const;
  EncodedKv encode(const at::Tensor& x) const;
  /// Back to [batch, kv_heads, seq, head_dim]; equals fake(x) bit for bit.
  at::Tensor decode(const EncodedKv& encoded) const;
  /// Tokens that are encoded together: 1, or the group along time.
  int64_t tokens_per_group() const {
    return options_.axis == KvAxis::kTime ? options_.group_size : 1;
  }
  /// Stored bits of one element, scales and minima included.
  static double stored_bits(const KvTensorOptions& options, const ModelConfig& model,
                            int64_t compute_bits);

 private:
  at::Tensor to_rows(const at::Tensor& x) const;
  at::Tensor from_rows(const at::Tensor& rows, int64_t batch, int64_t kv_heads) const;
  QuantSpec spec(int64_t seq) const;

  KvTensorOptions options_;
  at::Tensor shift_, scale_;  // [1, kv_heads, 1, head_dim] or undefined
};

/// The codec of a block's cache.
struct KvCodec {
  KvTensorCodec key, value;
  bool identity() const { return key.identity() && value.identity(); }
};

}  // namespace wkvq
