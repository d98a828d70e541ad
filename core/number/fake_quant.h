#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/quant_plan.h"
#include "core/number/quant_spec.h"

namespace wkvq {

struct DeviceKernels;

/// The plan of quantizing `x` (last dimension grouped) by `spec`. Throws c10::Error where the group
/// does not fit.
QuantPlan make_plan(const at::Tensor& x, const QuantSpec& spec);

/// `spec` for parts of `x`: with the largest magnitude of all of it where the format asks for that.
QuantSpec of_tensor(QuantSpec spec, const at::Tensor& x);

/// Factors on the largest and the smallest element of every group before its grid is laid:
/// learnable weight clipping (OmniQuant, eq. 2). Both [rows, groups] in the compute dtype, or
/// undefined.
struct ClipRatios {
  at::Tensor high, low;
};

/// Quantizes and dequantizes in one read and one write; no gradient. `x` is contiguous, float64,
/// float32, bfloat16 or float16 (half types compute in float32). `device`: kernels to use in place
/// of the CPU's, which specify them; a CUDA device has its own.
at::Tensor fake_quant_forward(const at::Tensor& x, const QuantPlan& plan,
                              const ClipRatios& clip = {}, const DeviceKernels* device = nullptr);

/// Gradient of fake_quant_forward with rounding (of codes and zero points) taken as the identity:
/// passes inside the range, and reaches the smallest and the largest element of a group through its
/// scale and minimum; no gradient flows through a rounded zero point. float32 or float64.
struct FakeQuantGradients {
  at::Tensor x;
  ClipRatios clip;  ///< undefined where the forward pass had none
};
FakeQuantGradients fake_quant_backward(const at::Tensor& grad, const at::Tensor& x,
                                       const QuantPlan& plan, const ClipRatios& clip = {},
                                       const DeviceKernels* device = nullptr);

struct EncodedGroups {
  at::Tensor codes;   ///< uint8, shape of x; form C: code + 2^(bits-1); elements: their bits
  at::Tensor scale;   ///< compute dtype, [rows, groups]
  at::Tensor offset;  ///< compute dtype, [rows, groups]: zero point, minimum or 0
};

/// The codes and parameters that fake_quant_forward goes through.
EncodedGroups encode_groups(const at::Tensor& x, const QuantPlan& plan, const ClipRatios& clip = {},
                            const DeviceKernels* device = nullptr);
/// decode_groups(encode_groups(x, plan, clip)) == fake_quant_forward(x, plan, clip), bit for bit.
at::Tensor decode_groups(const EncodedGroups& encoded, const QuantPlan& plan, at::ScalarType dtype);

}  // namespace wkvq
