#include "datasets/corpora/variety.h"

#include <numeric>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

std::vector<int32_t> counted(int32_t first, size_t count) {
  std::vector<int32_t> window(count);
  std::iota(window.begin(), window.end(), first);
  return window;
}

}  // namespace

TEST_CASE("variety: pieces of 16 tokens within windows, by hand") {
  // 20 tokens hold 5 pieces; the second window repeats the first, the third is new.
  const Variety variety = variety_of({counted(0, 20), counted(0, 20), counted(20, 20)});
  CHECK(variety.tokens == 60);
  CHECK(variety.distinct == 40);
  CHECK(variety.pieces == 15);
  CHECK(variety.repeated == 5);
  CHECK(variety.repeated_share() == Approx(1.0 / 3));
  CHECK(variety.poor());
}

TEST_CASE("variety: text that is new all the way is not poor, one token or few are") {
  CHECK_FALSE(variety_of({counted(0, 500), counted(500, 500)}).poor());
  CHECK(variety_of({std::vector<int32_t>(500, 7)}).repeated == 484);  // all but the first of 485
  CHECK(variety_of({std::vector<int32_t>(500, 7)}).poor());
  // 31 different tokens, no piece twice.
  CHECK(variety_of({counted(0, 31)}).poor());
  CHECK_FALSE(variety_of({counted(0, 32)}).poor());
  CHECK(variety_of({}).repeated_share() == 0);
}
