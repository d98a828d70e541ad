#pragma once

#include <cstdint>
#include <random>

namespace wkvq {

/// Random integers that are the same on every platform (std::uniform_int_distribution is not).
class BoundedRandom {
 public:
  explicit BoundedRandom(int64_t seed) : engine_(static_cast<uint64_t>(seed)) {}

  /// Uniform in 0..count-1, without bias; count >= 1.
  int64_t below(int64_t count) {
    const uint64_t n = static_cast<uint64_t>(count);
    const uint64_t unbiased = UINT64_MAX - UINT64_MAX % n;
    uint64_t draw = engine_();
    while (draw >= unbiased) draw = engine_();
    return static_cast<int64_t>(draw % n);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace wkvq
