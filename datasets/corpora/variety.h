#pragma once

#include <cstdint>
#include <vector>

namespace wkvq {

/// How much of a text is new: calibration on text that says one thing over and over fits that.
struct Variety {
  /// Tokens of the pieces that are looked up.
  static constexpr int64_t kPiece = 16;

  int64_t tokens = 0;
  int64_t distinct = 0;  ///< different token ids
  int64_t pieces = 0;    ///< runs of kPiece tokens within a window, one at every token
  int64_t repeated = 0;  ///< of these, how many occurred before in the text

  double repeated_share() const {
    return pieces == 0 ? 0 : static_cast<double>(repeated) / static_cast<double>(pieces);
  }
  /// Less than most texts have: fewer than 32 different tokens, or more than a tenth of the pieces
  /// repeated.
  bool poor() const { return distinct < 32 || repeated_share() > 0.1; }
};

/// Of `windows`, read in order. Pieces are compared by hashes of 64 bits.
Variety variety_of(const std::vector<std::vector<int32_t>>& windows);

}  // namespace wkvq
