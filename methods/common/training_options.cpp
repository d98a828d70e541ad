#include "methods/common/training_options.h"

#include <fmt/format.h>

#include "core/base/options/option_limits.h"

namespace wkvq {

namespace {

void require(OptionVisitor& v, bool fits, const char* name, double value, const char* expected) {
  if (!fits) v.reject(name, fmt::format("{}; expected {}", value, expected));
}

}  // namespace

void LossOptions::visit(OptionVisitor& v) {
  v.choice("kind", kind, {"mae", "mse", "huber"}, "distance of hidden states");
  v("following_blocks", following_blocks, "full-precision blocks between the block and the loss");
  v("local_weight", local_weight, "weight of the same distance at the block's own output");
  v("huber_delta", huber_delta, "|error| where huber turns from squares to lines");
  v("auxiliary", auxiliary, "add the distance to the full-precision block on the same input");
  require(v, following_blocks >= 0, "following_blocks", static_cast<double>(following_blocks),
          "0 or more");
  check_at_most(v, "following_blocks", following_blocks, 10'000);
  require(v, local_weight >= 0, "local_weight", local_weight, "0 or more");
  require(v, huber_delta > 0, "huber_delta", huber_delta, "more than 0");
}

void TrainingOptions::visit(OptionVisitor& v) {
  v("epochs", epochs, "passes over the calibration samples; 0: initial parameters");
  v("batch", batch, "samples a forward pass");
  v("accumulate", accumulate, "forward passes a step");
  v("clip_rate", clip_rate, "learning rate of weight clipping");
  v("channel_rate", channel_rate, "learning rate of the cache's channel shift and scale");
  v("transform_rate", transform_rate, "learning rate of equivalent transformations");
  v("warmup", warmup, "share of the steps over which the rates rise from 0");
  v.choice("decay", decay, {"none", "linear"}, "linear: the rates fall to 0 at the last step");
  v("seed", seed, "of the order of samples");
  require(v, epochs >= 0, "epochs", static_cast<double>(epochs), "0 or more");
  require(v, batch >= 1, "batch", static_cast<double>(batch), "at least 1");
  require(v, accumulate >= 1, "accumulate", static_cast<double>(accumulate), "at least 1");
  require(v, clip_rate >= 0, "clip_rate", clip_rate, "0 or more");
  require(v, channel_rate >= 0, "channel_rate", channel_rate, "0 or more");
  require(v, transform_rate >= 0, "transform_rate", transform_rate, "0 or more");
  check_at_most(v, "epochs", epochs, kMostSamples);
  check_at_most(v, "batch", batch, kMostSamples);
  check_at_most(v, "accumulate", accumulate, kMostSamples);
  require(v, warmup >= 0 && warmup <= 1, "warmup", warmup, "0 to 1");
}

}  // namespace wkvq
