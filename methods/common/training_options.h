#pragma once

#include "core/base/options/options.h"

namespace wkvq {

enum class LossKind { kMae, kMse, kHuber };
enum class RateDecay { kNone, kLinear };

/// What block-wise training minimizes: the distance of hidden states to those of the full-precision
/// model, `following_blocks` frozen full-precision blocks further on (WKVQuant's cross-block
/// reconstruction regularization; 0: at the block's own output, as OmniQuant).
struct LossOptions {
  LossKind kind = LossKind::kMse;
  int64_t following_blocks = 0;
  double local_weight = 0;   ///< of the distance at the block's own output, added to the other
  double huber_delta = 0.1;  ///< |error| where huber turns from squares to lines
  bool auxiliary = false;    ///< adds the distance to the full-precision block on the same input

  void visit(OptionVisitor& v);
};

/// AdamW without weight decay over the calibration samples, in seeded order.
struct TrainingOptions {
  int64_t epochs = 10;
  int64_t batch = 1;       ///< samples a forward pass
  int64_t accumulate = 1;  ///< passes a step
  double clip_rate = 1e-2;
  double channel_rate = 5e-3;
  double transform_rate = 5e-3;
  double warmup = 0;  ///< share of the steps over which the rates rise from 0
  RateDecay decay = RateDecay::kLinear;
  int64_t seed = 0;

  void visit(OptionVisitor& v);
};

}  // namespace wkvq
