#include "datasets/corpora/overlap.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Ids = std::vector<int32_t>;

/// first, first + 1, ...
Ids counting(int32_t first, size_t count) {
  Ids ids(count);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

Overlap overlap_of(const std::vector<Ids>& calibration, const std::vector<Ids>& test) {
  TextPieces pieces(calibration);
  Overlap overlap;
  for (const Ids& sequence : test) pieces.add(sequence, overlap);
  return overlap;
}

/// The definition, token by token.
int64_t shared_by_definition(const std::vector<Ids>& calibration, const Ids& test) {
  const size_t length = std::min<size_t>(test.size(), Overlap::kOverlapTokens);
  std::vector<bool> shared(test.size());
  for (size_t i = 0; i + length <= test.size(); ++i) {
    const auto first = test.begin() + static_cast<std::ptrdiff_t>(i);
    const auto last = first + static_cast<std::ptrdiff_t>(length);
    for (const Ids& window : calibration)
      if (std::search(window.begin(), window.end(), first, last) != window.end())
        std::fill_n(shared.begin() + static_cast<std::ptrdiff_t>(i), length, true);
  }
  return std::count(shared.begin(), shared.end(), true);
}

}  // namespace

TEST_CASE("overlap: by hand") {
  const std::vector<Ids> calibration{counting(0, 100), counting(500, 40)};
  const Overlap same = overlap_of(calibration, {counting(0, 100)});
  CHECK(same.tokens == 100);
  CHECK(same.shared_tokens == 100);
  CHECK(same.shared_sequences == 1);
  CHECK(same.share() == 1);
  // 60..99 are known, 100..159 are not.
  const Overlap half = overlap_of(calibration, {counting(60, 100), counting(200, 100)});
  CHECK(half.tokens == 200);
  CHECK(half.shared_tokens == 40);
  CHECK(half.sequences == 2);
  CHECK(half.shared_sequences == 1);
  CHECK(half.share() == 0.2);
  // 31 tokens are too few to be a piece, 32 are one.
  CHECK(overlap_of(calibration, {counting(69, 60)}).shared_tokens == 0);
  CHECK(overlap_of(calibration, {counting(68, 60)}).shared_tokens == 32);
  // Nothing runs from one window into the next.
  Ids joined = counting(84, 16);
  const Ids next = counting(500, 16);
  joined.insert(joined.end(), next.begin(), next.end());
  CHECK(overlap_of(calibration, {joined}).shared_tokens == 0);
}

TEST_CASE("overlap: short sequences count as a whole") {
  const std::vector<Ids> calibration{counting(0, 100)};
  CHECK(overlap_of(calibration, {counting(95, 5), counting(96, 5), Ids{}}).shared_tokens == 5);
  // Calibration windows shorter than a piece hold no piece, but short sequences.
  CHECK(overlap_of({counting(0, 10)}, {counting(0, 40)}).shared_tokens == 0);
  CHECK(overlap_of({counting(0, 10)}, {counting(2, 8)}).shared_tokens == 8);
  CHECK(overlap_of({}, {counting(0, 40)}).shared_tokens == 0);
}

TEST_CASE("overlap: equals its definition on text that repeats itself") {
  std::mt19937 generator(7);
  const auto text = [&](size_t count) {
    // Two letters and long runs: many pieces are met more than once and overlap each other.
    Ids ids(count);
    int32_t letter = 0;
    for (int32_t& id : ids) id = letter = generator() % 12 == 0 ? 1 - letter : letter;
    return ids;
  };
  int64_t some = 0;
  for (int round = 0; round < 30; ++round) {
    const std::vector<Ids> calibration{text(300), text(40)};
    const Ids test = text(20 + generator() % 400);
    const int64_t expected = shared_by_definition(calibration, test);
    CHECK(overlap_of(calibration, {test}).shared_tokens == expected);
    some += expected > 0 && expected < static_cast<int64_t>(test.size());
  }
  CHECK(some > 5);
}
