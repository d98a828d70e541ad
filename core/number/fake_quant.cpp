#include "core/number/fake_quant.h"

#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/cpu_isa.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/group_gradient.h"
#include "core/kernels/quantize_rows.h"
#include "core/number/elements.h"

namespace wkvq {

namespace {

/// The CPU, or kernels of a device.
struct Place {
  at::Device device;
  const DeviceKernels* kernels;

  Place(const at::Tensor& x, const DeviceKernels* given)
      : device(x.device()), kernels(kernels_of(device, given)) {}
};

template <class T>
void quantize_rows(const QuantBuffers<T>& buffers, const QuantPlan& plan, const Place& place) {
  if (place.kernels) {
    const DeviceStream stream(place.device);
    if constexpr (std::is_same_v<T, double>)
      place.kernels->quantize_wide(buffers, plan, stream.handle());
    else
      place.kernels->quantize(buffers, plan, stream.handle());
    return;
  }
  const auto rows =
      cpu_isa() == CpuIsa::kGeneric ? quantize_rows_generic<T> : quantize_rows_avx2<T>;
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

/// The ratios of a plan's groups, null where there are none.
template <class T>
const T* ratio_data(const at::Tensor& ratio, const QuantPlan& plan) {
  if (!ratio.defined()) return nullptr;
  TORCH_CHECK(ratio.numel() == plan.rows * plan.groups_per_row() && ratio.is_contiguous(),
              "quantizer: clip ratios of ", ratio.sizes(), " for ", plan.rows, " rows of ",
              plan.groups_per_row(), " groups");
  return ratio.const_data_ptr<T>();
}

}  // namespace

QuantPlan make_plan(const at::Tensor& x, const QuantSpec& spec) {
  TORCH_CHECK(x.is_floating_point() && x.dim() >= 1 && x.numel() > 0, "quantizer: got ",
              x.toString(), " ", x.sizes(), "; expected a non-empty floating-point tensor");
  TORCH_CHECK(!spec.identity(), "quantizer: 16 bits has no plan");
  const int64_t width = spec.per_tensor ? x.numel() : x.size(-1);
  const NumberFormat& format = number_format(spec.format);
  // A block of a format ends with the row, a group that was asked for must fit.
  const bool whole = spec.group_size == -1 || (format.block > 0 && width < spec.group_size);
  const int64_t group = whole ? width : spec.group_size;
  TORCH_CHECK(group >= 1 && group <= width, "quantizer: group_size ", group,
              " does not fit rows of ", width);
  QuantPlan plan{
      .rows = x.numel() / width,
      .width = width,
      .group = group,
      .max_code = spec.max_code(),
      .form = spec.form,
      .stored = format.scale_dtype == ScaleDtype::kCompute ? spec.scale_dtype : format.scale_dtype,
      .include_zero = spec.range == QuantRange::kZeroIncluded,
      .element = format.element,
      .rule = format.rule};
  if (format.tensor_limit > 0) {
    const double largest = of_tensor(spec, x).tensor_largest;
    if (largest > 0) plan.tensor_factor = static_cast<float>(format.tensor_limit / largest);
  }
  return plan;
}

QuantSpec of_tensor(QuantSpec spec, const at::Tensor& x) {
  if (number_format(spec.format).tensor_limit > 0 && spec.tensor_largest == 0)
    spec.tensor_largest = x.abs().amax().item<double>();
  return spec;
}

at::Tensor fake_quant_forward(const at::Tensor& x, const QuantPlan& plan, const ClipRatios& clip,
                              const DeviceKernels* device) {
  const at::Tensor input = computable(x);
  at::Tensor output = at::empty_like(input);
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    quantize_rows<T>({.input = input.const_data_ptr<T>(),
                      .output = output.mutable_data_ptr<T>(),
                      .high_ratio = ratio_data<T>(clip.high, plan),
                      .low_ratio = ratio_data<T>(clip.low, plan)},
                     plan, Place(input, device));
  });
  return output.to(x.scalar_type());
}

EncodedGroups encode_groups(const at::Tensor& x, const QuantPlan& plan, const ClipRatios& clip,
                            const DeviceKernels* device) {
  const at::Tensor input = computable(x);
  const std::vector<int64_t> shape{plan.rows, plan.groups_per_row()};
  EncodedGroups encoded{at::empty_like(input, input.options().dtype(at::kByte)),
                        at::empty(shape, input.options()), at::empty(shape, input.options())};
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    quantize_rows<T>({.input = input.const_data_ptr<T>(),
                      .codes = encoded.codes.mutable_data_ptr<uint8_t>(),
                      .scale = encoded.scale.mutable_data_ptr<T>(),
                      .offset = encoded.offset.mutable_data_ptr<T>(),
                      .high_ratio = ratio_data<T>(clip.high, plan),
                      .low_ratio = ratio_data<T>(clip.low, plan)},
                     plan, Place(input, device));
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
  at::Tensor q = plan.integers() ? codes.to(scale.scalar_type())
                                 : elements_of(codes, plan, scale.scalar_type());
  if (plan.integers()) q = q + static_cast<double>(plan.lowest_code());
  const at::Tensor values =
      plan.form == QuantForm::kZeroPoint ? (q - offset) * scale : q * scale + offset;
  return values.reshape(encoded.codes.sizes()).to(dtype);
}

namespace {

template <class T>
void differentiate_rows(const QuantGradient<T>& all, const QuantPlan& plan, const Place& place) {
  if (place.kernels) {
    const DeviceStream stream(place.device);
    if constexpr (std::is_same_v<T, double>)
      place.kernels->differentiate_wide(all, plan, stream.handle());
    else
      place.kernels->differentiate(all, plan, stream.handle());
    return;
  }
  const int64_t groups = plan.groups_per_row();
  at::parallel_for(0, plan.rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; ++i) differentiate_group(all, i, plan);
  });
}

}  // namespace

FakeQuantGradients fake_quant_backward(const at::Tensor& grad, const at::Tensor& x,
                                       const QuantPlan& plan, const ClipRatios& clip,
                                       const DeviceKernels* device) {
  const at::Tensor input = computable(x), incoming = computable(grad.to(input.scalar_type()));
  at::Tensor output = at::empty_like(input);
  ClipRatios clip_grad;
  if (clip.high.defined()) clip_grad.high = at::zeros_like(clip.high);
  if (clip.low.defined()) clip_grad.low = at::zeros_like(clip.low);
  dispatch(input.scalar_type(), [&](auto zero) {
    using T = decltype(zero);
    const auto writable = [](at::Tensor& t) { return t.defined() ? t.data_ptr<T>() : nullptr; };
    differentiate_rows<T>(
        {incoming.const_data_ptr<T>(), input.const_data_ptr<T>(), output.mutable_data_ptr<T>(),
         ratio_data<T>(clip.high, plan), ratio_data<T>(clip.low, plan), writable(clip_grad.high),
         writable(clip_grad.low)},
        plan, Place(input, device));
  });
  return {output.to(x.scalar_type()), clip_grad};
}

}  // namespace wkvq
