#include "tests/support/cuda_emulator.h"

#include <cmath>
#include <vector>

#include "tests/support/catch.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

constexpr ThreadOrder kOrders[] = {ThreadOrder::kForward, ThreadOrder::kBackward};

struct Numbers {
  float number[64];
};

// Every thread reads what its mirror image wrote.
void mirror(float* out, bool with_barrier) {
  WKVQ_BLOCK_MEMORY(Numbers, memory);
  memory.number[threadIdx.x] = static_cast<float>(threadIdx.x + 100 * blockIdx.y);
  if (with_barrier) __syncthreads();
  out[blockIdx.y * 64 + threadIdx.x] = memory.number[63 - threadIdx.x];
}

void warp_sums(double* out) {
  double sum = threadIdx.x;
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, lanes);
  out[threadIdx.x] = sum;
}

void rounds(std::vector<int>* order) {
  for (int round = 0; round < 2; ++round) {
    order->push_back(static_cast<int>(threadIdx.x) + 1000 * round);
    __syncthreads();
  }
}

/// Thread 37 strays.
void strays(int way) {
  const bool astray = threadIdx.x == 37;
  float x = 1;
  if (way == 0 && astray) return;
  if (way == 1 && astray) __syncthreads();
  if (way == 2 && !astray) x = __shfl_xor_sync(0xffffffffU, x, 1);
  if (way == 3 && astray) x = __shfl_xor_sync(0xffffffffU, x, 1);
  if (way == 4 && astray) throw std::runtime_error("thrown by a thread");
  if (way == 5) x = __shfl_xor_sync(0xffffU, x, 1);
  __syncthreads();
}

}  // namespace

TEST_CASE("CUDA emulator: a barrier lets no thread through before all have come") {
  for (const ThreadOrder order : kOrders) {
    std::vector<int> seen;
    EmulatedLauncher{order}(rounds, LaunchShape{1, 1, 1, 64}, &seen);
    REQUIRE(seen.size() == 128);
    for (int i = 0; i < 128; ++i) {
      const int thread = order == ThreadOrder::kForward ? i % 64 : 63 - i % 64;
      REQUIRE(seen[static_cast<size_t>(i)] == thread + 1000 * (i / 64));
    }
  }
}

TEST_CASE("CUDA emulator: shared memory is the block's own, and a missing barrier shows") {
  for (const ThreadOrder order : kOrders) {
    std::vector<float> out(128, -1);
    EmulatedLauncher{order}(mirror, LaunchShape{1, 2, 1, 64}, out.data(), true);
    for (int i = 0; i < 128; ++i)
      REQUIRE(out[static_cast<size_t>(i)] == static_cast<float>(63 - i % 64 + 100 * (i / 64)));
    EmulatedLauncher{order}(mirror, LaunchShape{1, 1, 1, 64}, out.data(), false);
    // What the first thread to run reads has not been written yet: NaN.
    REQUIRE(std::isnan(out[order == ThreadOrder::kForward ? 0 : 63]));
  }
}

TEST_CASE("CUDA emulator: shuffles exchange within a warp") {
  for (const ThreadOrder order : kOrders) {
    std::vector<double> out(64, 0);
    EmulatedLauncher{order}(warp_sums, LaunchShape{1, 1, 1, 64}, out.data());
    for (size_t i = 0; i < 64; ++i) REQUIRE(out[i] == (i < 32 ? 496.0 : 1520.0));
  }
}

TEST_CASE("CUDA emulator: a thread that misses a barrier or a shuffle is reported") {
  using Catch::Matchers::Contains;
  const auto run = [](int way) { EmulatedLauncher{}(strays, LaunchShape{1, 1, 1, 64}, way); };
  REQUIRE_THROWS_WITH(run(0), Contains("thread 0 waits at barrier cuda_emulator_test.cpp") &&
                                  Contains("but thread 37 has returned"));
  REQUIRE_THROWS_WITH(run(1), Contains("waits at barrier") && Contains("but thread 37 waits at"));
  REQUIRE_THROWS_WITH(
      run(2), Contains("thread 32 waits at shuffle") && Contains("but thread 37 waits at barrier"));
  REQUIRE_THROWS_WITH(run(3), Contains("thread 37 waits at shuffle") && Contains("but thread 32"));
  REQUIRE_THROWS_WITH(run(4), Contains("thrown by a thread"));
  REQUIRE_THROWS_WITH(run(5), Contains("expected all lanes"));
  REQUIRE_NOTHROW(run(6));
  REQUIRE_THROWS_WITH(EmulatedLauncher{}(strays, LaunchShape{1, 1, 1, 40}, 6), Contains("40"));
}
