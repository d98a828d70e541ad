#pragma once

#include <map>
#include <string>

#include "core/calibrate/kv_calibration.h"
#include "core/number/activation_quantizer.h"
#include "methods/common/block_training.h"
#include "methods/common/clip_start.h"

namespace wkvq {

/// What is learned of a block beside the channels that the cache options ask for.
struct LearnedSwitches {
  bool clip = true;  ///< learnable weight clipping (OmniQuant, section 3.2)
  ClipStart clip_start = ClipStart::kRange;
  bool transform = false;  ///< learnable equivalent transformation (section 3.3), four places
  double alpha = 0.5;      ///< migration strength of the transformation's initial scales
};

/// Options that the learned block follows.
struct LearnedOptions {
  QuantSpec weight;
  ActivationOptions activation;
  KvOptions kv;
  LearnedSwitches learn;
  TrainingOptions training;
};

/// A block whose clipping, equivalent transformation and cache channels are trained together.
/// Parameters by name: "<linear>.high", "<linear>.low" (logits of the clip ratios, [out, groups]);
/// "key.shift", "key.log_scale", "value.*" ([kv_heads, head_dim]; the scale of keys before RoPE
/// [kv_heads, head_dim / 2], one a pair); "<site>.log_scale" ([channels]
/// of input_norm, post_norm and value_output, see ScalingSite) and "query_key.log_scale"
/// ([kv_heads, head_dim / 2], tied over the pairs that RoPE mixes).
class LearnedBlock final : public TrainableBlock {
 public:
  /// Initial parameters from the block in full precision and its calibration inputs.
  LearnedBlock(const BlockContext& context, const LearnedOptions& options);

  std::vector<Group> groups() const override;
  QuantizedBlock build() const override { return build(false); }
  /// The same, with `keep_codes` also the codes of its weights; then without a gradient.
  QuantizedBlock build(bool keep_codes) const;
  KvCodec codec() const;
  /// Fits static ranges and codebooks of the cache to what the weights of context.block produce.
  void fit_grids(const BlockContext& context);
  const KvGrids& grids() const { return grids_; }

  const LearnedParameters& parameters() const { return parameters_; }
  /// Takes the values of `stored`. ConfigError where names or shapes differ; NotFiniteError where
  /// values are not finite, or stand for a scale that is not above 0.
  void assign(const LearnedParameters& stored);
  /// The block as the transformation leaves it, not yet rounded.
  BlockWeights transformed() const;

 private:
  void add(const std::string& name, const at::Tensor& value, double rate);
  void add_clipping(const BlockContext& context);
  void add_transform(const BlockContext& context);
  void add_channels(const std::string& side, const KvTensorOptions& options,
                    const ChannelRange& range);
  ChannelTransform channels(const std::string& side, const KvTensorOptions& options) const;
  bool has(const std::string& name) const { return parameters_.contains(name); }

  int64_t layer_;
  const ModelConfig& model_;
  const LearnedOptions& options_;
  BlockWeights original_;
  LearnedParameters parameters_;
  std::map<std::string, double> rates_;
  std::map<std::string, ChannelTransform> fixed_;  ///< static parts, by side
  KvGrids grids_;
};

}  // namespace wkvq
