#pragma once

#include <array>
#include <cstring>
#include <functional>

#include "core/kernels/launch.h"

// CUDA's words for the host: included before a .cuh file it makes ordinary functions of kernels,
// which then run block by block, their threads as fibres of one thread of the processor. Barriers
// and shuffles behave as on a device, only stricter: a thread that misses one is an error here and
// undefined behaviour there. Memory of a block is not zero at first but full of NaN.
namespace wkvq::test {

/// In which order the threads of a block run between two barriers. A result that depends on it
/// lacks a barrier.
enum class ThreadOrder { kForward, kBackward };

/// Runs `kernel` once a thread of every block. Throws std::runtime_error where threads wait for
/// each other in vain: at different barriers or shuffles, or for one that has returned. What a
/// thread throws comes out too.
void run_blocks(const LaunchShape& shape, ThreadOrder order, const std::function<void()>& kernel);

/// What a launcher of kernels calls; see core/kernels/cuda_launcher.cuh.
struct EmulatedLauncher {
  ThreadOrder order = ThreadOrder::kForward;

  template <class... Parameters, class... Arguments>
  void operator()(void (*kernel)(Parameters...), const LaunchShape& shape,
                  const Arguments&... arguments) const {
    run_blocks(shape, order, [&] { kernel(arguments...); });
  }
};

/// A place in a kernel where threads wait.
struct WaitPlace {
  const char* file;
  int line;
};

using ShuffleBits = std::array<unsigned char, 8>;

void wait_for_block(const WaitPlace& place);
/// Gives `mine` to the lane whose number differs in the bits `lanes`, and returns what it gave.
ShuffleBits exchange(const WaitPlace& place, unsigned mask, const ShuffleBits& mine, int lanes);
/// The memory that the running block shares; all requests of a kernel name one size, `launched`
/// ones that of the launch.
void* block_memory(size_t bytes, bool launched);

template <class T>
T exchange_value(const WaitPlace& place, unsigned mask, T value, int lanes) {
  static_assert(sizeof(T) <= sizeof(ShuffleBits));
  ShuffleBits bits{};
  std::memcpy(bits.data(), &value, sizeof value);
  bits = exchange(place, mask, bits, lanes);
  std::memcpy(&value, bits.data(), sizeof value);
  return value;
}

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

}  // namespace wkvq::test

// Of the running thread.
inline wkvq::test::Index3 threadIdx, blockIdx, blockDim, gridDim;

inline int atomicMin(int* to, int value) {
  const int old = *to;
  if (value < old) *to = value;
  return old;
}

#define __global__
#define __device__
#define __syncthreads() ::wkvq::test::wait_for_block({__FILE__, __LINE__})
#define __shfl_xor_sync(mask, value, lanes) \
  ::wkvq::test::exchange_value({__FILE__, __LINE__}, mask, value, lanes)
#define __syncwarp() \
  static_cast<void>(::wkvq::test::exchange_value({__FILE__, __LINE__}, 0xffffffffU, 0, 1))
#define WKVQ_BLOCK_MEMORY(Type, name) \
  Type& name = *static_cast<Type*>(::wkvq::test::block_memory(sizeof(Type), false))
#define WKVQ_LAUNCHED_MEMORY(Type, name) \
  Type& name = *static_cast<Type*>(::wkvq::test::block_memory(sizeof(Type), true))
