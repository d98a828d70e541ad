#include "methods/wkvquant/wkvquant.h"

namespace wkvq {

WkvQuant::WkvQuant() {
  weight_ = {.bits = 4, .group_size = 128};
  kv_.both.bits = 4;
  kv_.both.channel = {.shift = ChannelMode::kLearned, .scale = ChannelMode::kLearned};
  kv_.key = kv_.value = kv_.both;
  loss_ = {.kind = LossKind::kMae, .following_blocks = 5};
}

std::string WkvQuant::summary() const {
  return "WKVQuant: past-only, two-dimensional KV quantization and learned clipping under a "
         "cross-block loss";
}

}  // namespace wkvq
