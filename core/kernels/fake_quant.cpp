#include "core/kernels/fake_quant.h"

#include "core/kernels/group_math.h"
#include "core/kernels/quantize_rows.h"
#include "core/torch_headers.h"

#ifdef WKVQ_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace wkvq {

namespace {

PlanForm plan_form(QuantForm form) {
  switch (form) {
    case QuantForm::kMinimum:
      return PlanForm::kMinimum;
    case QuantForm::kSymmetric:
      return PlanForm::kSymmetric;
    case QuantForm::kZeroPoint:
      break;
  }
  return PlanForm::kZeroPoint;
}

StoredScale stored_scale(ScaleDtype dtype) {
  switch (dtype) {
    case ScaleDtype::kFloat32:
      return StoredScale::kFloat32;
    case ScaleDtype::kFloat16:
      return StoredScale::kFloat16;
    case ScaleDtype::kBfloat16:
      return StoredScale::kBfloat16;
    case ScaleDtype::kCompute:
      break;
  }
  return StoredScale::kCompute;
}

bool has_avx2() {
#if defined(__x86_64__)
  static const bool available = __builtin_cpu_supports("avx2");
  return available;
#else
  return false;
#endif
}

template <class T>
void quantize_rows(const QuantBuffers<T>& buffers, const QuantPlan& plan,
                   const at::Device& device) {
  if (device.is_cuda()) {
#ifdef WKVQ_WITH_CUDA
    quantize_rows_cuda(buffers, plan, c10::cuda::getCurrentCUDAStream(device.index()).stream());
    return;
#else
    TORCH_CHECK(false, "fake_quant: got a CUDA tensor, but this build has no CUDA kernels");
#endif
  }
  const auto rows = has_avx2() ? quantize_rows_avx2<T> : quantize_rows_generic<T>;
  // About 16 k elements a task keep the threads busy and their overhead small.
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, plan.width));
  at::parallel_for(0, plan.rows, grain,
                   [&](int64_t begin, int64_t end) { rows(buffers, plan, begin, end); });
}

/// float64 stays, everything else computes in float32.
at::ScalarType compute_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

template <class F>
void dispatch(at::ScalarType type, F&& f) {
  if (type == at::kDouble)
    f(double{});
  else
    f(float{});
}

/// `x` as the kernels read it.
at::Tensor computable(const at::Tensor& x) {
  return x.to(compute_type(x.scalar_type())).contiguous();
}

}  // namespace

QuantPlan make_plan(const at::Tensor& x, const QuantSpec& spec) {
  TORCH_CHECK(x.is_floating_point() && x.dim() >= 1 && x.numel() > 0, "quantizer: got ",
              x.toString(), " ", x.sizes(), "; expected a non-empty floating-point tensor");
  TORCH_CHECK(!spec.identity(), "quantizer: 16 bits has no plan");
  const int64_t width = spec.per_tensor ? x.numel() : x.size(-1);
  const int64_t group = spec.group_size == -1 ? width : spec.group_size;
  TORCH_CHECK(group >= 1 && group <= width, "quantizer: group_size ", group,
              " does not fit rows of ", width);
  return {.rows = x.numel() / width,
          .width = width,
          .group = group,
          .max_code = spec.max_code(),
          .form = plan_form(spec.form),
          .stored = stored_scale(spec.scale_dtype),
          .include_zero = spec.range == QuantRange::kZeroIncluded};
}

at::Tensor fake_quant_forward(const at::Tensor& x, const QuantPlan& plan) {
  const at::Tensor input = computable(x);
  at::Tensor output = at::empty_like(input);
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    quantize_rows<T>({.input = input.const_data_ptr<T>(), .output = output.mutable_data_ptr<T>()},
                     plan, input.device());
  });
  return output.to(x.scalar_type());
}

EncodedGroups encode_groups(const at::Tensor& x, const QuantPlan& plan) {
  const at::Tensor input = computable(x);
  const std::vector<int64_t> shape{plan.rows, plan.groups_per_row()};
  EncodedGroups encoded{at::empty_like(input, input.options().dtype(at::kByte)),
                        at::empty(shape, input.options()), at::empty(shape, input.options())};
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    quantize_rows<T>({.input = input.const_data_ptr<T>(),
                      .codes = encoded.codes.mutable_data_ptr<uint8_t>(),
                      .scale = encoded.scale.mutable_data_ptr<T>(),
                      .offset = encoded.offset.mutable_data_ptr<T>()},
                     plan, input.device());
  });
  return encoded;
}

at::Tensor decode_groups(const EncodedGroups& encoded, const QuantPlan& plan,
                         at::ScalarType dtype) {
  const at::Tensor codes = encoded.codes.reshape({plan.rows, plan.width});
  const at::Tensor group_of =
      at::arange(plan.width, codes.options().dtype(at::kLong)).div(plan.group, "floor");
  const at::Tensor scale = encoded.scale.index_select(1, group_of);
  const at::Tensor offset = encoded.offset.index_select(1, group_of);
  at::Tensor q = codes.to(scale.scalar_type());
  if (plan.form == PlanForm::kSymmetric) q = q - static_cast<double>(plan.max_code + 1);
  const at::Tensor values =
      plan.form == PlanForm::kZeroPoint ? (q - offset) * scale : q * scale + offset;
  return values.reshape(encoded.codes.sizes()).to(dtype);
}

namespace {

/// One group of the backward pass; see fake_quant_backward.
template <class T>
void backward_group(const T* grad, const T* x, T* out, int64_t n, const QuantPlan& plan) {
  int64_t lowest = 0, highest = 0;
  for (int64_t i = 1; i < n; ++i) {
    if (x[i] < x[lowest]) lowest = i;
    if (x[i] > x[highest]) highest = i;
  }
  const GroupParams<T> p = group_params(x[lowest], x[highest], plan);
  T grad_scale = 0, grad_minimum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T position = (x[i] - p.minimum) / p.scale;
    const T q = round_half_even(position) + p.zero;
    const bool inside = q >= p.low && q <= p.high;
    const T code = (inside ? q : (q < p.low ? p.low : p.high)) - p.zero;
    out[i] = inside ? grad[i] : T(0);
    grad_scale += grad[i] * (inside ? code - position : code);
    if (!inside && plan.form == PlanForm::kMinimum) grad_minimum += grad[i];
  }
  // A degenerate group has a constant scale.
  const T range_gradient = x[highest] > x[lowest] || plan.form != PlanForm::kMinimum
                               ? grad_scale / static_cast<T>(plan.max_code)
                               : T(0);
  if (plan.form == PlanForm::kSymmetric) {
    const bool upper = x[highest] > -x[lowest];
    out[upper ? highest : lowest] += upper ? range_gradient : -range_gradient;
    return;
  }
  const bool floor_is_zero = plan.include_zero && !(x[lowest] < T(0));
  const bool ceiling_is_zero = plan.include_zero && !(x[highest] > T(0));
  if (!ceiling_is_zero) out[highest] += range_gradient;
  if (!floor_is_zero) out[lowest] += grad_minimum - range_gradient;
}

}  // namespace

at::Tensor fake_quant_backward(const at::Tensor& grad, const at::Tensor& x, const QuantPlan& plan) {
  TORCH_CHECK(x.is_cpu(), "fake_quant: the gradient is computed on the CPU; got ", x.device());
  const at::Tensor input = computable(x), incoming = computable(grad.to(input.scalar_type()));
  at::Tensor output = at::empty_like(input);
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const T* xs = input.const_data_ptr<T>();
    const T* gs = incoming.const_data_ptr<T>();
    T* out = output.mutable_data_ptr<T>();
    at::parallel_for(0, plan.rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t at_column = 0; at_column < plan.width; at_column += plan.group) {
          const int64_t first = row * plan.width + at_column;
          const int64_t n = std::min(plan.group, plan.width - at_column);
          backward_group(gs + first, xs + first, out + first, n, plan);
        }
      }
    });
  });
  return output.to(x.scalar_type());
}

}  // namespace wkvq
