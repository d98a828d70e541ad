#include "core/base/files/heap.h"

#include <memory>
#include <vector>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

// Below the size from which the C library maps every block for itself.
constexpr size_t kPiece = 64 << 10;
constexpr size_t kPieces = 2048;
constexpr auto kHalf = static_cast<int64_t>(kPieces / 2 * kPiece);

std::vector<std::unique_ptr<char[]>> touched_pieces() {
  std::vector<std::unique_ptr<char[]>> pieces;
  for (size_t i = 0; i < kPieces; ++i) {
    pieces.push_back(std::make_unique_for_overwrite<char[]>(kPiece));
    for (size_t at = 0; at < kPiece; at += 512) pieces.back()[at] = 1;
  }
  return pieces;
}

}  // namespace

TEST_CASE("memory freed between what is kept goes back to the system") {
  release_freed_memory();  // that of other tests would be used again
  const int64_t before = resident_bytes();
  auto pieces = touched_pieces();
  CHECK(resident_bytes() - before >= 2 * kHalf);
  for (size_t i = 0; i < kPieces; i += 2) pieces[i].reset();
  const int64_t freed = resident_bytes();
  release_freed_memory();
  // All but the parts of pages at both ends of each piece, an eighth of it.
  CHECK(freed - resident_bytes() >= kHalf * 7 / 8);
  CHECK(pieces[1][0] == 1);
}

TEST_CASE("the peak of resident memory stays when memory is given back") {
  auto pieces = touched_pieces();
  const int64_t peak = peak_resident_bytes();
  CHECK(peak >= 2 * kHalf);
  pieces.clear();
  release_freed_memory();
  // The kernel counts in batches of at most 64 pages a thread.
  constexpr int64_t kInexact = 1 << 20;
  CHECK(peak_resident_bytes() >= peak - kInexact);
  CHECK(resident_bytes() <= peak - 2 * kHalf + kInexact);
}
