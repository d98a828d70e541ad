#include "core/kernels/cuda_launcher.cuh"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/fake_quant.cuh"

namespace wkvq {

void quantize_cuda(const QuantBuffers<float>& buffers, const QuantPlan& plan, void* stream) {
  launch_quantize(CudaLauncher{stream}, buffers, plan);
}

void quantize_wide_cuda(const QuantBuffers<double>& buffers, const QuantPlan& plan, void* stream) {
  launch_quantize(CudaLauncher{stream}, buffers, plan);
}

void differentiate_cuda(const QuantGradient<float>& gradient, const QuantPlan& plan, void* stream) {
  launch_differentiate(CudaLauncher{stream}, gradient, plan);
}

void differentiate_wide_cuda(const QuantGradient<double>& gradient, const QuantPlan& plan,
                             void* stream) {
  launch_differentiate(CudaLauncher{stream}, gradient, plan);
}

}  // namespace wkvq
