#include <mma.h>

#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/tensor_attention.cuh"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "tensor cores multiply bfloat16 from compute capability 8.0 on; see CMAKE_CUDA_ARCHITECTURES"
#endif

namespace wkvq {

void tensor_attention_half_cuda(const DeviceAttention& problem, void* stream) {
  launch_tensor_attention<__half>(CudaLauncher{stream}, problem);
}

void tensor_attention_bfloat16_cuda(const DeviceAttention& problem, void* stream) {
  launch_tensor_attention<__nv_bfloat16>(CudaLauncher{stream}, problem);
}

}  // namespace wkvq
