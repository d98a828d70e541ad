#pragma once

#include <cstdint>
#include <vector>

#include "core/kv/kv_view.h"

namespace wkvq {

/// A view as numbers, of every query: one past the last token it sees quantized among keys and
/// among values, and the first token it sees at all.
struct AttentionBounds {
  std::vector<int64_t> key, value, lowest;
  int64_t first = 0;  ///< position of the first query
};

/// Of the queries at positions first ... last - 1. `sliding_window` 0: none.
AttentionBounds attention_bounds(const KvViewOptions& view, int64_t first, int64_t last,
                                 int64_t sliding_window);

}  // namespace wkvq
