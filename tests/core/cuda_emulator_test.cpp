#include "tests/support/cuda_emulator.h"

#include <c10/util/Half.h>

#include <cmath>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/wmma_emulator.h"

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

namespace wmma = nvcuda::wmma;
template <class Use, class Layout>
using Operand = wmma::fragment<Use, 16, 16, 16, c10::Half, Layout>;

struct alignas(32) Tiles {
  c10::Half a[16][24];
  float sums[16][24];
};

/// out [16, 16] = a b + 0.5 of a[i][k] = i + 2 k and b[k][j] = a[j][k] (or a[k][j]), and then twice
/// that.
template <class Layout>
void products(float* out, bool with_barrier) {
  WKVQ_LAUNCHED_MEMORY(Tiles, memory);
  for (unsigned i = threadIdx.x; i < 256; i += 32)
    memory.a[i / 16][i % 16] = static_cast<float>(i / 16 + 2 * (i % 16));
  __syncwarp();
  Operand<wmma::matrix_a, wmma::row_major> a;
  Operand<wmma::matrix_b, Layout> b;
  wmma::Sums sums, again;
  wmma::load_matrix_sync(a, memory.a[0], 24);
  wmma::load_matrix_sync(b, memory.a[0], 24);
  wmma::fill_fragment(sums, 0.5f);
  wmma::mma_sync(sums, a, b, sums);
  wmma::store_matrix_sync(memory.sums[0], sums, 24, wmma::mem_row_major);
  if (with_barrier) __syncwarp();
  wmma::load_matrix_sync(again, memory.sums[0], 24, wmma::mem_row_major);
  for (int i = 0; i < wmma::Sums::num_elements; ++i) sums.x[i] += again.x[i];
  wmma::store_matrix_sync(memory.sums[0], sums, 24, wmma::mem_row_major);
  if (with_barrier) __syncwarp();
  // The row of another thread.
  for (unsigned i = 0; i < 8; ++i)
    out[255 - threadIdx.x * 8 - i] =
        memory.sums[15 - threadIdx.x / 2][15 - threadIdx.x % 2 * 8 - i];
}

void misuse(int way) {
  WKVQ_LAUNCHED_MEMORY(Tiles, memory);
  Operand<wmma::matrix_a, wmma::row_major> a{};
  Operand<wmma::matrix_b, wmma::row_major> b{};
  wmma::Sums sums{};
  if (way == 0) wmma::load_matrix_sync(a, memory.a[0] + 8, 24);
  if (way == 1) wmma::load_matrix_sync(a, memory.a[0], 20);
  if (way == 2 && threadIdx.x == 5) return;
  wmma::mma_sync(sums, a, b, sums);
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

TEST_CASE("CUDA emulator: products of a warp, by hand") {
  for (const ThreadOrder order : kOrders) {
    const auto run = [&](auto* kernel, bool with_barrier) {
      std::vector<float> out(256, -1);
      EmulatedLauncher{order}(kernel, LaunchShape{1, 1, 1, 32, sizeof(Tiles)}, out.data(),
                              with_barrier);
      return out;
    };
    const std::vector<float> transposed = run(products<wmma::col_major>, true);
    const std::vector<float> straight = run(products<wmma::row_major>, true);
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 16; ++j) {
        // Over k of 0 to 15: sum 1 = 16, sum k = 120, sum k^2 = 1240.
        const int at = i * 16 + j;
        REQUIRE(transposed[static_cast<size_t>(at)] ==
                2 * (0.5 + 16 * i * j + 2 * 120 * (i + j) + 4 * 1240));
        REQUIRE(straight[static_cast<size_t>(at)] ==
                2 * (0.5 + 120 * i + 2 * 16 * i * j + 2 * 1240 + 4 * 120 * j));
      }
    // What the first thread to run reads has not been stored yet: NaN.
    const std::vector<float> hasty = run(products<wmma::col_major>, false);
    REQUIRE(std::isnan(hasty[order == ThreadOrder::kForward ? 255 : 0]));
  }
}

TEST_CASE("CUDA emulator: products that CUDA forbids are reported") {
  using Catch::Matchers::Contains;
  const auto run = [](int way, int64_t bytes) {
    EmulatedLauncher{}(misuse, LaunchShape{1, 1, 1, 32, bytes}, way);
  };
  const auto bytes = static_cast<int64_t>(sizeof(Tiles));
  REQUIRE_THROWS_WITH(run(0, bytes), Contains("wmma: got a tile at address"));
  REQUIRE_THROWS_WITH(run(1, bytes), Contains("lines 40 bytes apart"));
  REQUIRE_THROWS_WITH(run(2, bytes), Contains("but thread 5 has returned"));
  REQUIRE_THROWS_WITH(run(3, bytes - 32), Contains("got a launch with"));
  REQUIRE_NOTHROW(run(3, bytes));
}
