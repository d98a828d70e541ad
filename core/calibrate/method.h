#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/checkpoint/process_memory.h"
#include "core/base/options/options.h"
#include "core/base/recorder.h"
#include "core/calibrate/calibration.h"
#include "core/kv/kv_codec.h"
#include "core/model/transformer.h"

namespace wkvq {

/// What a method leaves behind of a block: rewritten weights and the codec of its cache.
struct QuantizedBlock {
  BlockWeights weights;
  KvCodec codec;
};

/// Trained parameters of a block by name, float64 where they come from a file.
using LearnedParameters = std::map<std::string, at::Tensor>;

/// Where trained parameters are kept, so that a killed run resumes and another one may reuse them.
class LearnedStore {
 public:
  virtual ~LearnedStore() = default;
  /// Those of a block trained before; nothing where there are none.
  virtual std::optional<LearnedParameters> load(int64_t layer) = 0;
  virtual void save(int64_t layer, const LearnedParameters& parameters) = 0;
};

/// All that a method may look at while it works on one block.
struct BlockContext {
  ModelSource& source;
  const ModelConfig& model;
  const Rope& rope;
  int64_t layer;
  QuantizedBlock& block;   ///< enters in full precision
  CalibrationChain* full;  ///< the full-precision chain; null without calibration
  /// Through the blocks as quantized so far; null: like the full-precision chain.
  const std::vector<at::Tensor>* quantized;
  LearnedStore* learned;  ///< null: nothing is kept
  /// May be told which share of the work on this block is done, 0 to 1; empty: nobody listens.
  std::function<void(double share)> on_share;
  /// Linears that are rounded keep their codes (Linear::codes) beside the weight.
  bool keep_codes = false;
  /// Whether errors that a method leaves are measured and recorded.
  bool measure_errors = false;
  /// Hidden states [batch, seq, hidden] of evaluated text that enter the block, for measuring only;
  /// undefined where nothing is evaluated.
  at::Tensor text = {};

  /// Calibration hidden states entering the block, [samples, seq, hidden] in batches: of the
  /// full-precision model, and through the blocks as quantized so far (see chain_sees_cache).
  const std::vector<at::Tensor>& inputs_full() const { return full->entering(layer); }
  const std::vector<at::Tensor>& inputs_quantized() const {
    return quantized ? *quantized : inputs_full();
  }
};

/// Which calibration streams a method looks at; what nobody looks at is not computed.
enum class CalibrationNeeds { kNone, kQuantizedChain, kBothChains };

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
  /// Those of block `layer`, where blocks may differ from kv() in their bits.
  virtual KvOptions kv_of(int64_t layer, const ModelConfig& model) const {
    return kv().of_layer(layer, model.layers);
  }
  virtual CalibrationNeeds calibration_needs() const = 0;
  /// Whether it trains parameters, which those of an earlier run may replace.
  virtual bool trains() const { return false; }
  /// Whether calibration text reaches the next block through the quantized cache, under the view of
  /// kv(), or through one in full precision.
  virtual bool chain_sees_cache() const { return false; }
  /// How many passes of the calibration text through a block calibrate() is about worth, for
  /// progress and remaining time.
  virtual double calibration_passes() const {
    return calibration_needs() == CalibrationNeeds::kNone ? 0 : 3;
  }
  /// Throws ConfigError where the options do not fit the model; before any work.
  virtual void check(const ModelConfig& model) const = 0;
  /// What a user should know of the options on this model and `calibration_tokens` tokens of
  /// calibration text: one sentence a warning.
  virtual std::vector<std::string> warnings(const ModelConfig& /*model*/,
                                            int64_t /*calibration_tokens*/) const {
    return {};
  }
  /// What calibrate() holds at most beside the block, for plans.
  virtual MethodMemory calibration_memory(const ModelConfig& /*model*/,
                                          const CalibrationSize& /*size*/) const {
    return {};
  }
  /// Throws ConfigError where quantized weights of the model cannot be packed; before any work.
  virtual void check_packable(const ModelConfig& model) const = 0;
  /// How the inputs of linears are quantized where that takes no calibrated range and no other
  /// basis: what packed files can hold. Else nothing.
  virtual std::optional<ActivationOptions> token_activation() const = 0;
  /// Rewrites context.block. Deterministic in its inputs.
  virtual void calibrate(BlockContext& context, Recorder& recorder) = 0;
  /// Identities of the files that the method reads beside the model, part of a run's id. Throws
  /// ConfigError where such a file belongs to a model of another fingerprint.
  virtual std::vector<std::string> input_identities(
      const std::string& /*model_fingerprint*/) const {
    return {};
  }
  /// Stored bits a weight of `linear` (LinearSpec::name) of block `layer`, which has `inputs` columns.
  virtual double weight_bits(int64_t layer, const std::string& linear, int64_t inputs,
                             int64_t compute_bits) const = 0;
};

}  // namespace wkvq
