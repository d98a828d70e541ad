#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/decode_attention.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"

namespace wkvq {

void decode_attention_cuda(const DeviceDecode& problem, void* stream) {
  launch_decode_attention(CudaLauncher{stream}, problem);
}

}  // namespace wkvq
