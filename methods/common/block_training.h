#pragma once

#include <string>
#include <vector>

#include "core/calibrate/method.h"
#include "methods/common/training_options.h"

namespace wkvq {

/// The block that is trained.
class TrainableBlock {
 public:
  struct Group {
    std::vector<at::Tensor> parameters;  ///< leaves that require a gradient
    double rate;
  };

  virtual ~TrainableBlock() = default;
  virtual std::vector<Group> groups() const = 0;
  /// The quantized block under the parameters as they are now; differentiable in them.
  virtual QuantizedBlock build() const = 0;
};

struct TrainingReport {
  std::vector<double> loss;         ///< mean over the samples, by epoch
  double first = 0, last = 0;       ///< before and after training, without gradients
  std::vector<std::string> events;  ///< roll-backs; empty where all went well
};

/// Trains `block` on the calibration samples of `context`: inputs from the quantized chain, the
/// cache under `view`, targets from the full-precision chain. Where a loss is not finite the
/// parameters return to those of the best epoch and the rates are halved, three times at most;
/// parameters that end up worse than at first are dropped for the initial ones. Every step is told
/// to context.on_share. NotFiniteError where the loss is not finite before the first step.
TrainingReport train_block(const BlockContext& context, TrainableBlock& block,
                           const TrainingOptions& training, const LossOptions& loss,
                           const KvViewOptions& view);

}  // namespace wkvq
