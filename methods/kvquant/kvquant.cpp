#include "methods/kvquant/kvquant.h"

namespace wkvq {

KvQuant::KvQuant() {
  kv_.both = {
      .bits = 4, .grid = KvGrid::kNuq, .fit_weights = FitWeights::kFisher, .outliers = 0.01};
  kv_.key = kv_.value = kv_.both;
  kv_.key.rope = KeyPoint::kBeforeRope;
  kv_.key.range = KvRange::kStatic;
  kv_.value.group_scope = GroupScope::kToken;
  kv_.view = {.mode = ViewMode::kPast, .sinks = 1};
}

std::string KvQuant::summary() const {
  return "KVQuant: keys before RoPE on static channel ranges, fitted codebooks, outliers kept "
         "apart";
}

}  // namespace wkvq
