#include "methods/wkvquant/wkvquant_published.h"

namespace wkvq {

WkvQuantPublished::WkvQuantPublished() {
  weight_ = {.bits = 4, .group_size = 128};
  // Its groups of 128 channels are the heads of LLaMA.
  kv_.both = {.bits = 4,
              .form = QuantForm::kMean,
              .channel = {.shift = ChannelMode::kLearned, .scale = ChannelMode::kLearned}};
  kv_.key = kv_.value = kv_.both;
  kv_.key.rope = KeyPoint::kBeforeRope;
  kv_.key.channel.tie_pairs = false;
  loss_ = {.kind = LossKind::kMae, .following_blocks = 4};
  training_.epochs = 5;
}

std::string WkvQuantPublished::summary() const {
  return "WKVQuant as published: channels before RoPE, groups around their mean, the loss four "
         "blocks on";
}

std::string WkvQuantPublished::not_stated() const {
  return "ours, the publication is silent: learning rates and their decay, the optimizer, the "
         "order of samples, start values of channels and clipping, groups of heads without 128 "
         "channels, scales and means kept as computed";
}

}  // namespace wkvq
