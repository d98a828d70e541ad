#include "datasets/corpora/variety.h"

#include <xxhash.h>

#include <unordered_set>

namespace wkvq {

Variety variety_of(const std::vector<std::vector<int32_t>>& windows) {
  Variety variety;
  std::unordered_set<int32_t> ids;
  std::unordered_set<uint64_t> known;
  for (const std::vector<int32_t>& window : windows) {
    variety.tokens += static_cast<int64_t>(window.size());
    ids.insert(window.begin(), window.end());
    for (size_t i = 0; i + Variety::kPiece <= window.size(); ++i) {
      ++variety.pieces;
      const uint64_t hash = XXH3_64bits(&window[i], Variety::kPiece * sizeof(int32_t));
      variety.repeated += !known.insert(hash).second;
    }
  }
  variety.distinct = static_cast<int64_t>(ids.size());
  return variety;
}

}  // namespace wkvq
