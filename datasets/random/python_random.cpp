#include "datasets/random/python_random.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
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

std::vector<size_t> PythonRandom::sample(size_t count, size_t k) {
  const auto below = [&](size_t n) {
    return static_cast<size_t>(randint(0, static_cast<int64_t>(n) - 1));
  };
  // CPython's estimate of the size from which a set is smaller than a list of everything.
  size_t set_size = 21;
  if (k > 5) {
    size_t power = 1;
    while (power < 3 * k) power *= 4;
    set_size += power;
  }
  std::vector<size_t> drawn;
  if (count <= set_size) {
    std::vector<size_t> pool(count);
    std::iota(pool.begin(), pool.end(), size_t{0});
    for (size_t i = 0; i < k; ++i) {
      const size_t at = below(count - i);
      drawn.push_back(pool[at]);
      pool[at] = pool[count - i - 1];
    }
    return drawn;
  }
  std::set<size_t> taken;
  while (drawn.size() < k) {
    const size_t at = below(count);
    if (taken.insert(at).second) drawn.push_back(at);
  }
  return drawn;
}

}  // namespace wkvq
