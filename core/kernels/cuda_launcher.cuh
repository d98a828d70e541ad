// Words of the kernels that differ between nvcc and the emulator of the tests.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "core/kernels/launch.h"

/// Memory that the threads of a block share; one a kernel.
#define WKVQ_BLOCK_MEMORY(Type, name) __shared__ Type name
/// The same, of the size that the launch names: for more than the 48 KiB that can be static.
#define WKVQ_LAUNCHED_MEMORY(Type, name)                        \
  extern __shared__ __align__(32) unsigned char name##_bytes[]; \
  Type& name = *reinterpret_cast<Type*>(name##_bytes)

namespace wkvq {

/// Queues kernels on a stream. Throws std::runtime_error where CUDA refuses one.
struct CudaLauncher {
  void* stream;

  template <class... Parameters, class... Arguments>
  void operator()(void (*kernel)(Parameters...), const LaunchShape& shape,
                  const Arguments&... arguments) const {
    const dim3 grid(static_cast<unsigned>(shape.x), static_cast<unsigned>(shape.y),
                    static_cast<unsigned>(shape.z));
    if (shape.x * shape.y * shape.z == 0) return;
    const size_t memory = static_cast<size_t>(shape.memory);
    if (memory > 0)
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(memory)));
    kernel<<<grid, static_cast<unsigned>(shape.threads), memory,
             static_cast<cudaStream_t>(stream)>>>(arguments...);
    check(cudaGetLastError());
  }

 private:
  static void check(cudaError_t error) {
    if (error != cudaSuccess)
      throw std::runtime_error(std::string("CUDA kernel: ") + cudaGetErrorString(error));
  }
};

}  // namespace wkvq
