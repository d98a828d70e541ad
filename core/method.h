#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/options.h"
#include "core/base/recorder.h"
#include "core/kv_codec.h"
#include "core/transformer.h"

namespace wkvq {

/// What a method leaves behind of a block: rewritten weights and the codec of its cache.
struct QuantizedBlock {
  BlockWeights weights;
  KvCodec codec;
};

/// All that a method may look at while it works on one block.
struct BlockContext {
  const ModelConfig& model;
  const Rope& rope;
  int64_t layer;
  QuantizedBlock& block;  ///< enters in full precision
  /// Calibration hidden states entering the block, [samples, seq, hidden] in batches; empty without
  /// calibration. The first come from the full-precision chain, the second through the blocks as
  /// quantized so far (cache in full precision).
  const std::vector<at::Tensor>& inputs_full;
  const std::vector<at::Tensor>& inputs_quantized;
};

/// One way of quantizing a model, block by block. Instances are made fresh for every run.
class Method {
 public:
  virtual ~Method() = default;
  /// Declares the options; called to read, to write out and to explain them.
  virtual void visit(OptionVisitor& v) = 0;
  /// One sentence for `wkvq list methods`.
  virtual std::string summary() const = 0;
  /// The cache options; their view is the default of every evaluation.
  virtual const KvOptions& kv() const = 0;
  virtual bool needs_calibration() const = 0;
  /// Throws ConfigError where the options do not fit the model; before any work.
  virtual void check(const ModelConfig& model) const = 0;
  /// Rewrites context.block. Deterministic in its inputs.
  virtual void calibrate(BlockContext& context, Recorder& recorder) = 0;
  /// Stored bits a weight of a linear of `inputs` columns.
  virtual double weight_bits(int64_t inputs, int64_t compute_bits) const = 0;
};

/// Ranges of the keys (after RoPE) and values that `weights` produce on the calibration inputs.
struct KvRanges {
  ChannelRange key, value;
};
KvRanges collect_kv_ranges(const BlockContext& context);

}  // namespace wkvq
