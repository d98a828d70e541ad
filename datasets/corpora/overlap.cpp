#include "datasets/corpora/overlap.h"

#include <xxhash.h>

#include <algorithm>

namespace wkvq {

namespace {

uint64_t piece_hash(const std::vector<int32_t>& tokens, int64_t first, int64_t length) {
  return XXH3_64bits(tokens.data() + first, static_cast<size_t>(length) * sizeof(int32_t));
}

}  // namespace

const std::vector<uint64_t>& TextPieces::hashes_of(int64_t length) {
  for (const OfLength& known : known_)
    if (known.length == length) return known.hashes;
  std::vector<uint64_t> hashes;
  for (const auto& window : windows_)
    for (int64_t i = 0; i + length <= static_cast<int64_t>(window.size()); ++i)
      hashes.push_back(piece_hash(window, i, length));
  std::sort(hashes.begin(), hashes.end());
  known_.push_back({length, std::move(hashes)});
  return known_.back().hashes;
}

void TextPieces::add(const std::vector<int32_t>& sequence, Overlap& overlap) {
  const auto size = static_cast<int64_t>(sequence.size());
  const int64_t length = std::min(size, Overlap::kOverlapTokens);
  overlap.tokens += size;
  ++overlap.sequences;
  if (length == 0) return;
  const std::vector<uint64_t>& hashes = hashes_of(length);
  int64_t shared = 0, covered = 0;  // tokens before `covered` are counted
  for (int64_t i = 0; i + length <= size; ++i) {
    if (!std::binary_search(hashes.begin(), hashes.end(), piece_hash(sequence, i, length)))
      continue;
    shared += i + length - std::max(i, covered);
    covered = i + length;
  }
  overlap.shared_tokens += shared;
  overlap.shared_sequences += shared > 0;
}

}  // namespace wkvq
