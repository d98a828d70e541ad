#include "datasets/python_random.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace wkvq {

namespace {

// std::mt19937 takes its 624 state words from a seed sequence: handing over those of
// init_by_array (Matsumoto and Nishimura, 2002), which CPython seeds with, gives CPython's stream.
class InitByArray {
 public:
  using result_type = uint32_t;
  explicit InitByArray(uint32_t key) : key_(key) {}

  template <class Iterator>
  void generate(Iterator first, Iterator last) const {
    const std::vector<uint32_t> words = state(static_cast<size_t>(last - first));
    std::copy(words.begin(), words.end(), first);
  }

 private:
  std::vector<uint32_t> state(size_t n) const {
    std::vector<uint32_t> s(n);
    s[0] = 19650218u;
    for (size_t i = 1; i < n; ++i) {
      s[i] = 1812433253u * (s[i - 1] ^ (s[i - 1] >> 30)) + static_cast<uint32_t>(i);
    }
    size_t i = 1;
    const auto advance = [&] {
      if (++i < n) return;
      s[0] = s[n - 1];
      i = 1;
    };
    for (size_t k = 0; k < n; ++k, advance()) {
      s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key_;
    }
    for (size_t k = 0; k + 1 < n; ++k, advance()) {
      s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - static_cast<uint32_t>(i);
    }
    s[0] = 0x80000000u;
    return s;
  }

  uint32_t key_;
};

std::mt19937 seeded(uint32_t seed) {
  InitByArray sequence(seed);
  return std::mt19937(sequence);
}

}  // namespace

PythonRandom::PythonRandom(uint32_t seed) : engine_(seeded(seed)) {}

int64_t PythonRandom::randint(int64_t low, int64_t high) {
  const uint64_t count = static_cast<uint64_t>(high - low) + 1;
  const int drop = 32 - static_cast<int>(std::bit_width(count));
  uint64_t draw = 0;
  do {
    draw = static_cast<uint32_t>(engine_()) >> drop;
  } while (draw >= count);
  return low + static_cast<int64_t>(draw);
}

}  // namespace wkvq
