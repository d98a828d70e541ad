#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace wkvq {

/// CPython's `random` module as far as published evaluation sets were drawn with it: seed(n) for
/// 0 <= n < 2^32, then randint and sample.
class PythonRandom {
 public:
  explicit PythonRandom(uint32_t seed);
  /// randint(low, high), both ends included; high - low < 2^32 - 1.
  int64_t randint(int64_t low, int64_t high);
  /// sample(range(count), k): k different numbers below `count`; k <= count.
  std::vector<size_t> sample(size_t count, size_t k);

 private:
  std::mt19937 engine_;
};

}  // namespace wkvq
