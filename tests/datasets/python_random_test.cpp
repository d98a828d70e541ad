#include "datasets/random/python_random.h"

#include <vector>

#include "tests/support/catch.h"

namespace wkvq {
namespace {

std::vector<int64_t> draw(PythonRandom random, int64_t low, int64_t high, int count) {
  std::vector<int64_t> drawn;
  for (int i = 0; i < count; ++i) drawn.push_back(random.randint(low, high));
  return drawn;
}

using Draws = std::vector<int64_t>;

// Literals from CPython 3: random.seed(s); [random.randint(low, high) for _ in range(n)].
TEST_CASE("CPython's randint, number for number") {
  CHECK(draw(PythonRandom(0), 0, 999, 5) == Draws{864, 394, 776, 911, 430});
  CHECK(draw(PythonRandom(1), 0, 999, 5) == Draws{137, 582, 867, 821, 782});
  CHECK(draw(PythonRandom(42), 0, 999, 5) == Draws{654, 114, 25, 759, 281});
  CHECK(draw(PythonRandom(4294967295u), 0, 999, 5) == Draws{650, 634, 208, 220, 621});
  CHECK(draw(PythonRandom(0), 0, 4294967293, 3) == Draws{3626764237, 1654615998, 3255389356});
  CHECK(draw(PythonRandom(5489), -3, 3, 10) == Draws{3, -2, -3, -3, -1, -3, 0, 3, -3, 3});
  CHECK(draw(PythonRandom(5489), 7, 7, 3) == Draws{7, 7, 7});
}

TEST_CASE("CPython's randint over changing ranges, past the first refill of the state") {
  PythonRandom random(0);
  int64_t mixed = 0;
  for (int64_t i = 0; i < 2000; ++i) mixed = (mixed * 31 + random.randint(0, i)) % 1000003;
  CHECK(mixed == 518127);
}

}  // namespace
}  // namespace wkvq
