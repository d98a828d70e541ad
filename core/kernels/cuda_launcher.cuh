// Words of the kernels that differ between nvcc and the emulator of the tests.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "core/kernels/launch.h"

/// Memory that the threads of a block share; one a kernel.
#define WKVQ_BLOCK_MEMORY(Type, name) __shared__ Type name

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
    kernel<<<grid, static_cast<unsigned>(shape.threads), 0, static_cast<cudaStream_t>(stream)>>>(
        arguments...);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
      throw std::runtime_error(std::string("CUDA kernel: ") + cudaGetErrorString(error));
  }
};

}  // namespace wkvq
