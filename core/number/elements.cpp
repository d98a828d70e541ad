#include "core/number/elements.h"

#include "core/device/torch_headers.h"
#include "core/kernels/element_math.h"

namespace wkvq {

namespace {

// Exponents of all elements and of their steps lie well within.
constexpr int kMostExponent = 48;

/// table[places], in the shape of `places`.
at::Tensor looked_up(const std::vector<double>& table, const at::Tensor& places,
                     const at::TensorOptions& like) {
  return at::tensor(table, at::kDouble)
      .to(like)
      .index_select(0, places.flatten().to(at::kInt))
      .view(places.sizes());
}

/// x 2^e, exactly: a library's pow need not be.
at::Tensor scaled(const at::Tensor& x, const at::Tensor& e) {
  std::vector<double> powers;
  for (int i = -kMostExponent; i <= kMostExponent; ++i) powers.push_back(std::ldexp(1.0, i));
  return x * looked_up(powers, e + kMostExponent, x.options());
}

at::Tensor binary_exponents(const at::Tensor& size, const Element& element) {
  const at::Tensor exponent = (std::get<1>(at::frexp(size)) - 1).clamp_min(element.lowest_exponent);
  return exponent.masked_fill(size == 0, element.lowest_exponent);
}

at::Tensor table_codes(const at::Tensor& levels, const Element& element) {
  const std::vector<double> values = element_values(element);
  std::vector<double> edges;
  for (size_t i = 0; i + 1 < values.size(); ++i) edges.push_back((values[i] + values[i + 1]) / 2);
  const at::Tensor boundaries = at::tensor(edges, at::kDouble).to(levels.options());
  return at::bucketize(levels.contiguous(), boundaries, /*out_int32=*/true);
}

}  // namespace

std::vector<double> element_values(const Element& element) {
  const uint32_t count = element.kind == ElementKind::kTable ? 16u : 2u << magnitude_bits(element);
  std::vector<double> values;
  for (uint32_t code = 0; code < count; ++code) values.push_back(element_value(code, element, 0.0));
  return values;
}

at::Tensor nearest_elements(const at::Tensor& levels, const QuantPlan& plan) {
  const Element& element = plan.element;
  if (element.kind == ElementKind::kTable)
    return at::where(
        levels.isnan(), levels,
        looked_up(element_values(element), table_codes(levels, element), levels.options()));
  const at::Tensor size = levels.abs().clamp_max(element.largest);
  const at::Tensor step = binary_exponents(size, element) - element.mantissa_bits;
  const at::Tensor rounded = scaled(scaled(size, -step).round_(), step);
  return at::copysign(rounded, levels);
}

at::Tensor element_codes(const at::Tensor& elements, const QuantPlan& plan) {
  const Element& element = plan.element;
  if (element.kind == ElementKind::kTable) return table_codes(elements, element).to(at::kByte);
  const at::Tensor size = elements.abs();
  const at::Tensor exponent = binary_exponents(size, element);
  const at::Tensor steps = scaled(size, element.mantissa_bits - exponent).to(at::kInt);
  const at::Tensor code =
      (exponent - element.lowest_exponent) * (1 << element.mantissa_bits) + steps;
  const at::Tensor sign = at::signbit(elements).to(at::kInt) * (1 << magnitude_bits(element));
  return (code + sign).to(at::kByte);
}

at::Tensor elements_of(const at::Tensor& codes, const QuantPlan& plan, at::ScalarType dtype) {
  return looked_up(element_values(plan.element), codes, codes.options().dtype(dtype));
}

}  // namespace wkvq
