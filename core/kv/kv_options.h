#pragma once

#include "core/base/checkpoint/model_config.h"
#include "core/kv/kv_view.h"
#include "core/number/quant_spec.h"

namespace wkvq {

enum class KvAxis { kToken, kTime };
enum class GroupScope { kHead, kToken };
enum class ChannelMode { kNone, kStatic, kLearned };

/// Where keys are transformed and quantized: as attention reads them, or before RoPE, which is then
/// applied to the dequantized key at its absolute position (KVQuant, section 3.2).
enum class KeyPoint { kAfterRope, kBeforeRope };

/// Whether the range of a group is its own, or that of its channel in the calibration text.
enum class KvRange { kDynamic, kStatic };
/// What shares a static range.
enum class StaticGranularity { kChannel, kHead, kTensor };

/// Equal steps; a codebook of 2^bits values a layer, fitted to calibration text (KVQuant's nuq); or
/// the best codebook of a normal distribution for directions, the length apart (TurboQuant).
enum class KvGrid { kUniform, kNuq, kNormal };

/// What the fit of a codebook weighs every element with: nothing, or the squared gradient of the
/// language-model loss with respect to it.
enum class FitWeights { kNone, kFisher };

/// Whether the channels of a head are mixed by a Hadamard matrix in front of the quantizer
/// (QuaRot's rotation of keys after RoPE), which spreads outliers; undone after it, so scores stay
/// the same. `signed`: channels get fixed random signs first (TurboQuant, vLLM). `queries`, `own`:
/// they are rotated to the eigenvectors of a covariance of the calibration text first (OSCAR): that
/// of the queries, or their own.
enum class KvRotation { kNone, kHadamard, kSigned, kQueries, kOwn };

/// Static per-channel transformation in front of the quantizer: x' = (x - shift) / scale, undone
/// after it: WKVQuant's two-dimensional quantization. `static`: from calibration, shift = (max +
/// min) / 2, scale = ((max - min) / 2)^exponent; `learned`: trained from there. Before RoPE the two
/// channels of a pair share a scale, unless they are not tied, so that it commutes with the
/// rotation.
struct ChannelOptions {
  ChannelMode shift = ChannelMode::kNone;
  ChannelMode scale = ChannelMode::kNone;
  double exponent = 0.5;
  bool tie_pairs = true;  ///< read of keys before RoPE

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
      -1;  ///< axis token: channels, -1: all of the scope; axis time: tokens, named explicitly
  KvAxis axis = KvAxis::kToken;
  GroupScope group_scope = GroupScope::kHead;
  FormatId format = FormatId::kInteger;
  QuantForm form = QuantForm::kMinimum;
  ScaleDtype scale_dtype = ScaleDtype::kCompute;
  KvRotation rotate = KvRotation::kNone;  ///< after `channel`
  KeyPoint rope = KeyPoint::kAfterRope;
  KvRange range = KvRange::kDynamic;
  StaticGranularity granularity = StaticGranularity::kChannel;
  KvGrid grid = KvGrid::kUniform;
  FitWeights fit_weights = FitWeights::kNone;
  bool q_norm = false;  ///< grid nuq: values read have the mean and spread of those stored
  int64_t tile = 0;     ///< tokens whose ranges are balanced over both axes (KVarN); 0: none
  double clip = 1;      ///< grid uniform: factor on both ends of a group's range
  bool norm_correction = true;  ///< grid normal: groups read have the length of those stored
  bool qjl = false;     ///< grid normal: one of the bits is a sign of the projected residual
  double outliers = 0;  ///< share of the elements kept exactly, half of it at either end
  ChannelOptions channel;

  bool operator==(const KvTensorOptions&) const = default;
  void visit(OptionVisitor& v);

  bool identity() const { return bits == 16; }
  bool before_rope() const { return rope == KeyPoint::kBeforeRope; }
  /// Whether the channels of a pair of RoPE share a scale.
  bool ties_pairs() const { return before_rope() && channel.tie_pairs; }
  /// Whether the grid has parts fitted to calibration text: static ranges, a codebook.
  bool fits_grid() const {
    return !identity() && (range == KvRange::kStatic || grid == KvGrid::kNuq);
  }
  /// Whether channels are rotated to a basis fitted to calibration text.
  bool fits_rotation() const {
    return !identity() && (rotate == KvRotation::kQueries || rotate == KvRotation::kOwn);
  }
  bool needs_fisher() const {
    return !identity() && grid == KvGrid::kNuq && fit_weights == FitWeights::kFisher;
  }
  bool needs_statistics() const {
    return !identity() && (channel.needs_statistics() || fits_grid() || fits_rotation());
  }
};

/// `method.kv`: fields for both, `key:` and `value:` override any of them, and the default view.
struct KvOptions {
  KvTensorOptions both, key, value;
  KvViewOptions view;
  std::vector<int64_t> exact_layers;  ///< whose cache stays exact; -1 is the last one

  void visit(OptionVisitor& v);
  /// The options of block `layer` of `layers`: both sides have 16 bits where it stays exact.
  KvOptions of_layer(int64_t layer, int64_t layers) const;
  bool identity() const { return key.identity() && value.identity(); }
  bool needs_statistics() const { return key.needs_statistics() || value.needs_statistics(); }
  bool fits_grid() const { return key.fits_grid() || value.fits_grid(); }
  bool fits_rotation() const { return key.fits_rotation() || value.fits_rotation(); }
  bool needs_fisher() const { return key.needs_fisher() || value.needs_fisher(); }
  bool learns() const { return key.channel.learns() || value.channel.learns(); }
};

/// Throws ConfigError where the options do not fit the model or each other under `view` (group
/// sizes, groups along time that would reach into the future, static ranges of learned channels).
void check_kv_options(const KvOptions& options, const KvViewOptions& view,
                      const ModelConfig& model);

}  // namespace wkvq
