#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/packed_linear.cuh"

namespace wkvq {

void packed_linear_cuda(const PackedProduct& product, void* stream) {
  launch_packed_linear(CudaLauncher{stream}, product);
}

void decode_weight_cuda(const PackedProduct& product, float* out, void* stream) {
  launch_decode_weight(CudaLauncher{stream}, product, out);
}

}  // namespace wkvq
