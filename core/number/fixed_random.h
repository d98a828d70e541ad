#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace wkvq {

/// Numbers that are part of a format, equal everywhere and for ever: splitmix64 (Steele, Lea and
/// Flood 2014) from seed 0.
class FixedRandom {
 public:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Standard normal, of two numbers (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  /// In (0, 1), from the top 53 bits.
  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

  uint64_t state_ = 0;
};

}  // namespace wkvq
