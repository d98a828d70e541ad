#include "tests/support/device_kernels.h"

#include "core/device/cuda_backend.h"
#include "core/device/device_stream.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_emulator.h"
#include "tests/support/wmma_emulator.h"
// The emulator's words come before the kernels.
#include "core/kernels/decode_attention.cuh"
#include "core/kernels/fake_quant.cuh"
#include "core/kernels/masked_attention.cuh"
#include "core/kernels/packed_linear.cuh"
#include "core/kernels/quantize_append.cuh"
#include "core/kernels/tensor_attention.cuh"

namespace wkvq::test {

namespace {

template <ThreadOrder kOrder>
constexpr EmulatedLauncher kLaunch{kOrder};

template <ThreadOrder kOrder>
DeviceKernels emulated(const char* name) {
  return {
      .name = name,
      .quantize = [](const QuantBuffers<float>& b, const QuantPlan& plan,
                     void*) { launch_quantize(kLaunch<kOrder>, b, plan); },
      .quantize_wide = [](const QuantBuffers<double>& b, const QuantPlan& plan,
                          void*) { launch_quantize(kLaunch<kOrder>, b, plan); },
      .differentiate = [](const QuantGradient<float>& g, const QuantPlan& plan,
                          void*) { launch_differentiate(kLaunch<kOrder>, g, plan); },
      .differentiate_wide = [](const QuantGradient<double>& g, const QuantPlan& plan,
                               void*) { launch_differentiate(kLaunch<kOrder>, g, plan); },
      .append = [](const DeviceAppend& p, void*) { launch_quantize_append(kLaunch<kOrder>, p); },
      .attend = [](const DeviceDecode& p, void*) { launch_decode_attention(kLaunch<kOrder>, p); },
      .multiply = [](const PackedProduct& w, void*) { launch_packed_linear(kLaunch<kOrder>, w); },
      .decode = [](const PackedProduct& w, float* out,
                   void*) { launch_decode_weight(kLaunch<kOrder>, w, out); },
      .attend_tiles = [](const DeviceAttention& p,
                         void*) { launch_masked_attention(kLaunch<kOrder>, p); },
      .attend_half = [](const DeviceAttention& p,
                        void*) { launch_tensor_attention<c10::Half>(kLaunch<kOrder>, p); },
      .attend_bfloat16 = [](const DeviceAttention& p,
                            void*) { launch_tensor_attention<c10::BFloat16>(kLaunch<kOrder>, p); },
  };
}

}  // namespace

const std::vector<TestDevice>& emulated_devices() {
  static const DeviceKernels forward =
      emulated<ThreadOrder::kForward>("emulated, threads forwards");
  static const DeviceKernels backward =
      emulated<ThreadOrder::kBackward>("emulated, threads backwards");
  static const std::vector<TestDevice> devices{{&forward, at::kCPU}, {&backward, at::kCPU}};
  return devices;
}

std::vector<TestDevice> cuda_devices() {
  if (!has_cuda()) return {};
  REQUIRE(load_cuda_backend() > 0);
  return {{&cuda_kernels(), at::Device(at::kCUDA, 0)}};
}

}  // namespace wkvq::test
