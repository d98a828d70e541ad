#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"

namespace wkvq::test {

/// Kernels and the device whose memory they work on.
struct TestDevice {
  const DeviceKernels* kernels;
  at::Device device;
};

/// The CUDA kernels run by the emulator on the CPU's memory, threads in either order.
const std::vector<TestDevice>& emulated_devices();

/// The first CUDA device; none, after saying that the test is skipped, without one.
std::vector<TestDevice> cuda_devices();

/// How far attention in a dtype may lie from its float64 reference, on the CPU and on devices.
/// float32: sums of scores and shares of size 10 make some tens of roundings of 6e-8 each. Half
/// types round what comes out, of size up to 8, and on tensor cores the weights of tokens, to 11
/// and 8 bits.
constexpr double attention_tolerance(at::ScalarType dtype) {
  return dtype == at::kHalf ? 4e-3 : dtype == at::kBFloat16 ? 2e-2 : 2e-5;
}

}  // namespace wkvq::test
