#pragma once

#include <cstdint>
#include <vector>

namespace wkvq {

/// Test text that also is calibration text. A token is shared where it lies in a piece of
/// kOverlapTokens that occurs in a calibration window; shorter sequences count as a whole.
struct Overlap {
  static constexpr int64_t kOverlapTokens = 32;

  int64_t tokens = 0, shared_tokens = 0;
  int64_t sequences = 0, shared_sequences = 0;  ///< shared: with at least one such token

  double share() const {
    return tokens == 0 ? 0 : static_cast<double>(shared_tokens) / static_cast<double>(tokens);
  }
};

/// Pieces of token ids that a text holds, by hash (64 bits: a false find in 10^8 pairs of texts of
/// a million tokens each).
class TextPieces {
 public:
  explicit TextPieces(const std::vector<std::vector<int32_t>>& windows) : windows_(windows) {}

  /// Adds `sequence` to `overlap`. Linear time; pieces of a length not met before cost one more
  /// pass over the windows.
  void add(const std::vector<int32_t>& sequence, Overlap& overlap);

 private:
  struct OfLength {
    int64_t length;
    std::vector<uint64_t> hashes;  ///< sorted
  };
  const std::vector<uint64_t>& hashes_of(int64_t length);

  const std::vector<std::vector<int32_t>>& windows_;
  std::vector<OfLength> known_;
};

}  // namespace wkvq
