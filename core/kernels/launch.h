#pragma once

#include <cstdint>

namespace wkvq {

/// How many blocks of how many threads run a kernel. `threads` is a multiple of 32; `memory` is
/// what a block shares beyond the kernel's static memory, in bytes.
struct LaunchShape {
  int64_t x = 1, y = 1, z = 1;
  int64_t threads = 128;
  int64_t memory = 0;
};

constexpr int64_t kWarp = 32;
constexpr int64_t kLaunchThreads = 128;

}  // namespace wkvq
