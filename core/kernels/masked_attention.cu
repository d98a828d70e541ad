#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/masked_attention.cuh"

namespace wkvq {

void masked_attention_cuda(const DeviceAttention& problem, void* stream) {
  launch_masked_attention(CudaLauncher{stream}, problem);
}

}  // namespace wkvq
