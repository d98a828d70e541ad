#include "core/attention/attention_bounds.h"

#include <algorithm>

namespace wkvq {

AttentionBounds attention_bounds(const KvViewOptions& view, int64_t first, int64_t last,
                                 int64_t sliding_window) {
  const KvMask keys(view, true), values(view, false);
  AttentionBounds bounds{.first = first};
  for (int64_t t = first; t < last; ++t) {
    const auto bound = [&](const KvMask& mask) {
      return t < mask.prefill() ? 0 : std::clamp<int64_t>(mask.bound(t), 0, t + 1);
    };
    bounds.key.push_back(bound(keys));
    bounds.value.push_back(bound(values));
    bounds.lowest.push_back(sliding_window == 0 ? 0 : std::max<int64_t>(0, t - sliding_window + 1));
  }
  return bounds;
}

}  // namespace wkvq
