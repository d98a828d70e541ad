#include "methods/kvarn/kvarn.h"

namespace wkvq {

KVarN::KVarN() {
  constexpr int64_t kTile = 128;
  kv_.both = {.bits = 4,
              .form = QuantForm::kMinimum,
              .scale_dtype = ScaleDtype::kFloat16,
              .rotate = KvRotation::kSigned,
              .tile = kTile};
  kv_.key = kv_.value = kv_.both;
  kv_.key.axis = KvAxis::kTime;
  kv_.key.group_size = kTile;
  kv_.value.bits = 2;
  kv_.view = {.mode = ViewMode::kTiles, .window = kTile, .sinks = kTile};
}

std::string KVarN::summary() const {
  return "KVarN: tiles of tokens balanced over tokens and channels; keys a channel, values a token";
}

}  // namespace wkvq
