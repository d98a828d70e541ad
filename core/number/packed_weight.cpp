#include "core/number/packed_weight.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/packed_kernels.h"
#include "core/kernels/weight_grid.h"
#include "core/number/activation_quantizer.h"
#include "core/number/elements.h"
#include "core/number/packing.h"
#include "core/number/quantized_rows.h"

namespace wkvq {

void check_packable(const QuantSpec& spec, int64_t in) {
  const NumberFormat& row = number_format(spec.format);
  const bool integers = row.element.kind == ElementKind::kInteger;
  if (!integers && spec.bits != 4 && spec.bits != 8)
    config_error("packed weight: format {} is not supported; expected one of 4 or 8 bits",
                 row.name);
  if (!packable_bits(spec.bits))
    config_error("packed weight: {} bits are not supported; expected 2, 3, 4 or 8", spec.bits);
  if (spec.per_tensor)
    config_error(
        "packed weight: per_tensor: true is not supported; expected a scale a row or group");
  const bool fits =
      spec.group_size % kPanelStep == 0 || (!integers && spec.group_size == kPanelStep / 2);
  if (spec.group_size != -1 && spec.group_size < in && !fits)
    config_error("packed weight: group_size {} is not supported; expected a multiple of {}, or -1",
                 spec.group_size, kPanelStep);
}

PackedWeight::PackedWeight(const at::Tensor& weight, const QuantSpec& spec,
                           const PackedKernels& kernels)
    : PackedWeight((check_packable(spec, weight.size(-1)), encode(weight, spec)), spec, kernels) {}

PackedWeight::PackedWeight(const Encoded& encoded, const QuantSpec& spec,
                           const PackedKernels& kernels, const DeviceKernels* device)
    : kernels_(kernels), device_(kernels_of(encoded.groups.codes.device(), device)) {
  const QuantPlan& plan = encoded.plan;
  check_packable(spec, plan.width);
  TORCH_CHECK(encoded.groups.scale.scalar_type() == at::kFloat, "packed weight: got scales in ",
              encoded.groups.scale.toString(),
              "; expected those of a weight in float32, bfloat16 or float16");
  format_ = {.bits = spec.bits,
             .out = plan.rows,
             .in = plan.width,
             .group = plan.group,
             .stored = plan.stored == ScaleDtype::kCompute ? ScaleDtype::kFloat32 : plan.stored,
             .form = is_symmetric(plan.form) ? QuantForm::kSymmetric : plan.form,
             .wide_zero = plan.form == QuantForm::kZeroPoint && !plan.include_zero};
  if (!plan.integers()) {
    format_.element = plan.element;
    format_.rule = plan.rule;
    format_.factor = static_cast<float>(plan.tensor_factor);
  }
  fill_table();
  data_ = at::zeros({format_.bytes()}, at::kByte);
  put_codes(encoded.groups.codes.cpu());
  put_grid(encoded.groups.scale.cpu(), encoded.groups.offset.cpu());
  data_ = data_.to(encoded.groups.codes.device());
}

PackedWeight::PackedWeight(const WeightFormat& format, at::Tensor data,
                           const PackedKernels& kernels)
    : format_(format),
      kernels_(kernels),
      device_(kernels_of(data.device(), nullptr)),
      data_(std::move(data)) {
  TORCH_CHECK(
      data_.scalar_type() == at::kByte && data_.is_contiguous() && data_.numel() == format_.bytes(),
      "packed weight: got ", data_.toString(), " ", data_.sizes(), "; expected ", format_.bytes(),
      " bytes");
  fill_table();
}

void PackedWeight::fill_table() {
  if (format_.integers()) return;
  for (const double value : element_values(format_.element))
    table_.push_back(static_cast<float>(value));
}

PackedProduct PackedWeight::product() const {
  const unsigned char* data = data_.const_data_ptr<uint8_t>();
  const unsigned char* scales = data + format_.code_bytes();
  return {.format = format_,
          .codes = reinterpret_cast<const uint32_t*>(data),
          .scales = scales,
          .offsets = scales + format_.panels() * format_.groups() * format_.scale_bytes(),
          .table = table_.empty() ? nullptr : table_.data()};
}

void PackedWeight::put_codes(const at::Tensor& codes) {
  auto* words = reinterpret_cast<uint32_t*>(data_.mutable_data_ptr<uint8_t>());
  const uint8_t* from = codes.const_data_ptr<uint8_t>();
  const int64_t panel = panel_words(format_.bits, format_.padded_in());
  at::parallel_for(0, format_.panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kPanelLanes; row < std::min(end * kPanelLanes, format_.out); ++row)
      for (int64_t i = 0; i < format_.in; ++i)
        put_panel_code(words + row / kPanelLanes * panel, static_cast<int>(format_.bits), i,
                       row % kPanelLanes, from[row * format_.in + i]);
  });
}

void PackedWeight::put_grid(const at::Tensor& scales_of, const at::Tensor& offsets_of) {
  unsigned char* scales = data_.mutable_data_ptr<uint8_t>() + format_.code_bytes();
  unsigned char* offsets = scales + format_.panels() * format_.groups() * format_.scale_bytes();
  const float* scale = scales_of.const_data_ptr<float>();
  const float* offset = offsets_of.const_data_ptr<float>();
  for (int64_t at = 0; at < format_.panels() * format_.groups(); ++at) {
    const int64_t panel = at / format_.groups(), group = at % format_.groups();
    unsigned char* to = offsets + at * format_.offset_bytes();
    std::vector<uint8_t> zeros(kPanelLanes, 0);
    for (int64_t lane = 0; lane < std::min(kPanelLanes, format_.out - panel * kPanelLanes);
         ++lane) {
      const int64_t from = (panel * kPanelLanes + lane) * format_.groups() + group;
      put_weight_scale(format_, scales + at * format_.scale_bytes(), lane, scale[from]);
      if (format_.form == QuantForm::kMinimum) put_stored(to, lane, offset[from], format_.stored);
      if (format_.wide_zero) put_stored(to, lane, offset[from], ScaleDtype::kFloat32);
      if (format_.integers()) zeros[static_cast<size_t>(lane)] = static_cast<uint8_t>(offset[from]);
    }
    if (format_.form != QuantForm::kZeroPoint || format_.wide_zero) continue;
    const std::vector<uint8_t> stream = pack_codes(zeros, static_cast<int>(format_.bits));
    std::copy(stream.begin(), stream.end(), to);
  }
}

at::Tensor PackedWeight::decode() const {
  if (device_) {
    const DeviceStream stream(data_.device());
    at::Tensor weight = at::empty({format_.out, format_.in}, data_.options().dtype(at::kFloat));
    device_->decode(product(), weight.data_ptr<float>(), stream.handle());
    return weight;
  }
  at::Tensor rows = at::empty({format_.panels() * kPanelLanes, format_.in}, at::kFloat);
  const PackedProduct from = product();
  at::parallel_for(0, format_.panels(), 1, [&](int64_t begin, int64_t end) {
    kernels_.decode(from, begin, end, rows.data_ptr<float>() + begin * kPanelLanes * format_.in);
  });
  return rows.narrow(0, 0, format_.out);
}

at::Tensor PackedWeight::multiply(const at::Tensor& x) const {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == format_.in && x.device() == data_.device() &&
                  x.scalar_type() != at::kDouble,
              "packed weight: got ", x.toString(), " ", x.sizes(), " on ", x.device(),
              "; expected [..., ", format_.in, "] in float32, bfloat16 or float16 on ",
              data_.device());
  const at::NoGradGuard no_grad;
  const at::Tensor rows = x.reshape({-1, format_.in}).to(at::kFloat);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = format_.out;
  return (rows.size(0) <= kFewRows ? few_rows(rows, nullptr) : many_rows(rows))
      .reshape(shape)
      .to(x.scalar_type());
}

at::Tensor PackedWeight::multiply(const at::Tensor& x, const ActivationQuantizer& input) const {
  const std::optional<QuantSpec> spec = input.of_token();
  if (!spec || !x.is_cpu() || device_ || x.scalar_type() != at::kFloat ||
      x.size(-1) != format_.in || x.numel() > kFewRows * format_.in)
    return multiply(input(x));
  const at::NoGradGuard no_grad;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = format_.out;
  return few_rows(x.reshape({-1, format_.in}), &*spec).reshape(shape);
}

at::Tensor PackedWeight::few_rows_on_device(const at::Tensor& x) const {
  const DeviceStream stream(x.device());
  const at::Tensor padded =
      at::constant_pad_nd(x, {0, format_.padded_in() - format_.in}).contiguous();
  at::Tensor y = at::empty({x.size(0), format_.panels() * kPanelLanes}, x.options());
  PackedProduct task = product();
  task.x = padded.const_data_ptr<float>();
  task.rows = x.size(0);
  task.y = y.data_ptr<float>();
  device_->multiply(task, stream.handle());
  return y.narrow(1, 0, format_.out);
}

void PackedWeight::sum_groups(const WeightFormat& format, const float* x, int64_t rows,
                              float* sums) {
  // Plain loops: an operation of the library a group would take longer than the product.
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x + row * format.padded_in();
    for (int64_t g = 0; g < format.groups(); ++g) {
      float sum = 0;
      const int64_t stop = std::min((g + 1) * format.group, format.in);
      for (int64_t i = g * format.group; i < stop; ++i) sum += from[i];
      sums[row * format.groups() + g] = sum;
    }
  }
}

at::Tensor PackedWeight::few_rows(const at::Tensor& x, const QuantSpec* input) const {
  if (device_) return few_rows_on_device(x);
  const int64_t rows = x.size(0);
  const at::Tensor padded =
      at::constant_pad_nd(x, {0, format_.padded_in() - format_.in}).contiguous();
  PackedProduct task = product();
  task.x = padded.const_data_ptr<float>();
  std::optional<QuantizedRows> quantized;
  if (input) {
    quantized.emplace(*input, format_.in);
    quantized->quantize(task.x, rows);
    task.x = quantized->values();
    if (format_.integers()) task.whole = quantized->whole(format_.bits);
    task.whole_scales = quantized->whole_scales();
  }
  std::vector<float> sums(static_cast<size_t>(rows * format_.groups()));
  sum_groups(format_, task.x, rows, sums.data());
  at::Tensor y = at::empty({rows, format_.panels() * kPanelLanes}, at::kFloat);
  task.sums = sums.data();
  task.rows = rows;
  task.y = y.data_ptr<float>();
  // Blocks share nothing.
  constexpr int64_t kBlock = kPanelsTogether;
  at::parallel_for(0, (format_.panels() + kBlock - 1) / kBlock, 1, [&](int64_t begin, int64_t end) {
    kernels_.multiply(task, begin * kBlock, std::min(end * kBlock, format_.panels()));
  });
  return y.narrow(1, 0, format_.out);
}

at::Tensor PackedWeight::many_rows(const at::Tensor& x) const {
  if (device_) return at::linear(x, decode());
  // Decoded parts stay in the cache until their product is done.
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 20) / (kPanelLanes * format_.in));
  at::Tensor y = at::empty({x.size(0), format_.out}, at::kFloat);
  at::Tensor part = at::empty({step * kPanelLanes, format_.in}, at::kFloat);
  const PackedProduct from = product();
  for (int64_t panel = 0; panel < format_.panels(); panel += step) {
    const int64_t count = std::min(step, format_.panels() - panel);
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      kernels_.decode(from, panel + begin, panel + end,
                      part.data_ptr<float>() + begin * kPanelLanes * format_.in);
    });
    const int64_t first = panel * kPanelLanes,
                  rows = std::min(count * kPanelLanes, format_.out - first);
    y.narrow(1, first, rows).copy_(at::linear(x, part.narrow(0, 0, rows)));
  }
  return y;
}

}  // namespace wkvq
