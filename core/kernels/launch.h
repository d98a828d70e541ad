#pragma once

#include <cstdint>

namespace wkvq {

/// How many blocks of how many threads run a kernel. `threads` is a multiple of 32.
struct LaunchShape {
  int64_t x = 1, y = 1, z = 1;
  int64_t threads = 128;
};

constexpr int64_t kWarp = 32;
constexpr int64_t kLaunchThreads = 128;

}  // namespace wkvq
