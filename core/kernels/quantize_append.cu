#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/quantize_append.cuh"

namespace wkvq {

void quantize_append_cuda(const DeviceAppend& problem, void* stream) {
  launch_quantize_append(CudaLauncher{stream}, problem);
}

}  // namespace wkvq
