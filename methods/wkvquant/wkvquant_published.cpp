#include "methods/wkvquant/wkvquant_published.h"

namespace wkvq {

WkvQuantPublished::WkvQuantPublished() {
  weight_ = {.bits = 4, .group_size = 128};
  kv_.both = {.bits = 4,
              .group_size = 128,
              .group_scope = GroupScope::kToken,
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
         "order of samples, start values of channels and clipping, groups that span heads narrower "
         "than 128 channels, scales and means kept as computed";
}

}  // namespace wkvq
