#include "core/number/elements.h"

#include "core/device/torch_headers.h"
#include "core/kernels/element_math.h"

namespace wkvq {

namespace {

// Exponents of all elements and of their steps lie well within.
constexpr int kMostExponent = 48;

/// x 2^e, exactly: a library's pow need not be.
at::Tensor scaled(const at::Tensor& x, const at::Tensor& e) {
  std::vector<double> powers;
  for (int i = -kMostExponent; i <= kMostExponent; ++i) powers.push_back(std::ldexp(1.0, i));
  const at::Tensor place = (e + kMostExponent).flatten().to(at::kInt);
  return x * at::tensor(powers, at::kDouble).to(x.options()).index_select(0, place).view(e.sizes());
}

at::Tensor binary_exponents(const at::Tensor& size, const Element& element) {
  const at::Tensor exponent = (std::get<1>(at::frexp(size)) - 1).clamp_min(element.lowest_exponent);
  return exponent.masked_fill(size == 0, element.lowest_exponent);
}

at::Tensor normal_codes(const at::Tensor& levels) {
  std::vector<double> edges;
  for (int i = 0; i < 15; ++i) edges.push_back((normal_value(i) + normal_value(i + 1)) / 2);
  const at::Tensor boundaries = at::tensor(edges, at::kDouble).to(levels.options());
  return at::bucketize(levels.contiguous(), boundaries, /*out_int32=*/true);
}

at::Tensor normal_values(const at::Tensor& codes, at::TensorOptions options) {
  std::vector<double> values;
  for (int i = 0; i < 16; ++i) values.push_back(normal_value(i));
  return at::tensor(values, at::kDouble)
      .to(options)
      .index_select(0, codes.flatten().to(at::kInt))
      .view(codes.sizes());
}

/// Bits of exponent and mantissa: the place of the sign.
int magnitude_bits(const Element& element) {
  int bits = element.mantissa_bits;
  for (int top = binary_exponent(element.largest) - element.lowest_exponent + 1; top > 0; top >>= 1)
    ++bits;
  return bits;
}

}  // namespace

at::Tensor nearest_elements(const at::Tensor& levels, const QuantPlan& plan) {
  const Element& element = plan.element;
  if (element.kind == ElementKind::kNormal) {
    const at::Tensor nearest = normal_values(normal_codes(levels), levels.options());
    return at::where(levels.isnan(), levels, nearest);
  }
  const at::Tensor size = levels.abs().clamp_max(element.largest);
  const at::Tensor step = binary_exponents(size, element) - element.mantissa_bits;
  const at::Tensor rounded = scaled(scaled(size, -step).round_(), step);
  return at::copysign(rounded, levels);
}

at::Tensor element_codes(const at::Tensor& elements, const QuantPlan& plan) {
  const Element& element = plan.element;
  if (element.kind == ElementKind::kNormal) return normal_codes(elements).to(at::kByte);
  const at::Tensor size = elements.abs();
  const at::Tensor exponent = binary_exponents(size, element);
  const at::Tensor steps = scaled(size, element.mantissa_bits - exponent).to(at::kInt);
  const at::Tensor code =
      (exponent - element.lowest_exponent) * (1 << element.mantissa_bits) + steps;
  const at::Tensor sign = at::signbit(elements).to(at::kInt) * (1 << magnitude_bits(element));
  return (code + sign).to(at::kByte);
}

at::Tensor elements_of(const at::Tensor& codes, const QuantPlan& plan, at::ScalarType dtype) {
  const Element& element = plan.element;
  const at::TensorOptions like = codes.options().dtype(dtype);
  if (element.kind == ElementKind::kNormal) return normal_values(codes, like);
  const int bits = magnitude_bits(element), mantissa = element.mantissa_bits;
  const at::Tensor whole = codes.to(at::kInt);
  const at::Tensor size = whole.bitwise_and((1 << bits) - 1);
  const at::Tensor field = size.bitwise_right_shift(mantissa);
  const at::Tensor fraction = size.bitwise_and((1 << mantissa) - 1);
  const at::Tensor steps = at::where(field > 0, fraction + (1 << mantissa), fraction);
  const at::Tensor exponent = field.clamp_min(1) - 1 + element.lowest_exponent - mantissa;
  const at::Tensor value = scaled(steps.to(dtype), exponent);
  return at::where(whole.bitwise_and(1 << bits) != 0, -value, value);
}

}  // namespace wkvq
