#pragma once

#include "core/kernels/element_math.h"

// The arithmetic of one quantization group, shared word for word by the CPU and the CUDA kernels.
// Internal linkage: the CPU kernel is compiled for several instruction sets, and the linker must
// not mix them.
namespace wkvq {
namespace {

/// What a group stores: x' = (q - zero) * scale + minimum. Form zero_point uses zero, minimum and
/// mean use minimum, symmetric ones neither.
template <class T>
struct GroupParams {
  T scale;
  T zero;
  T minimum;
  T low;   // lowest code or element
  T high;  // highest code or element
  // What codes are found with where by_inverse(): both as they are before they are stored.
  T inverse = T(0);
  T origin = T(0);
};

/// float rounded to bfloat16 and back, half to even, kept finite.
WKVQ_HOST_DEVICE inline float to_bfloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits += 0x7fffu + ((bits >> 16) & 1u);
  bits &= 0xffff0000u;
  if ((bits & 0x7f800000u) == 0x7f800000u) bits -= 0x00010000u;
  float rounded;
  memcpy(&rounded, &bits, sizeof rounded);
  return rounded;
}

/// float rounded to float16 and back, half to even, subnormals included, kept finite.
WKVQ_HOST_DEVICE inline float to_float16(float x) {
  const float magnitude = fabsf(x);
  if (magnitude >= 65504.0f) return copysignf(65504.0f, x);
  int exponent;
  frexpf(magnitude, &exponent);
  // Spacing of float16 at this magnitude: 2^(exponent - 11), at least 2^-24 below the normal range.
  const int ulp = exponent - 11 < -24 ? -24 : exponent - 11;
  return ldexpf(rintf(ldexpf(x, -ulp)), ulp);
}

template <class T>
WKVQ_HOST_DEVICE inline T round_stored(T x, ScaleDtype stored) {
  switch (stored) {
    case ScaleDtype::kFloat32:
      return static_cast<T>(static_cast<float>(x));
    case ScaleDtype::kFloat16:
      return static_cast<T>(to_float16(static_cast<float>(x)));
    case ScaleDtype::kBfloat16:
      return static_cast<T>(to_bfloat16(static_cast<float>(x)));
    case ScaleDtype::kCompute:
      break;
  }
  return x;
}

/// floor(log2 x) and 2^e, x > 0, subnormals included.
template <class T>
WKVQ_HOST_DEVICE inline int exponent_of(T x) {
  int exponent;
  frexp(x, &exponent);
  return exponent - 1;
}

/// 2^e as the eight bits of E8M0 hold it.
template <class T>
WKVQ_HOST_DEVICE inline T stored_power(int e) {
  const int held = e < -127 ? -127 : e > 127 ? 127 : e;
  return static_cast<T>(ldexp(1.0, held));
}

/// What the scales of blocks are in two levels: e4m3.
WKVQ_HOST_DEVICE inline Element two_level_element() {
  return {ElementKind::kFloat, 3, -6, 448};
}

/// A block scale for a largest magnitude `m` and a largest element `largest` in two levels.
template <class T>
WKVQ_HOST_DEVICE inline T two_level_scale(T m, T largest, const QuantPlan& plan) {
  const T factor = static_cast<T>(plan.tensor_factor);
  return nearest_float(factor * (m / largest), two_level_element()) / factor;
}

/// The scale of a symmetric group with a largest magnitude `m` > 0. Not above 0 where it is lost.
template <class T>
WKVQ_HOST_DEVICE inline T symmetric_scale(T m, const QuantPlan& plan) {
  const T largest = static_cast<T>(plan.span());
  switch (plan.rule) {
    case ScaleRule::kOne:
      return T(1);
    case ScaleRule::kPowerFloor:
    case ScaleRule::kPowerCeil: {
      if (!(m <= static_cast<T>(3.4e38))) return m;  // infinity stays
      const int e = exponent_of(m) - exponent_of(largest);
      const bool raised =
          plan.rule == ScaleRule::kPowerCeil && static_cast<double>(m) > plan.top() * ldexp(1.0, e);
      return stored_power<T>(raised ? e + 1 : e);
    }
    case ScaleRule::kTwoLevels:
    case ScaleRule::kFourOverSix:
      return two_level_scale(m, largest, plan);
    case ScaleRule::kLargest:
    case ScaleRule::kInverse:
    case ScaleRule::kInverseSigned:
    case ScaleRule::kInverseFitted:
      break;
  }
  return round_stored(m / largest, plan.stored);
}

/// Scale and offset of a group whose elements span [lowest, highest].
template <class T>
WKVQ_HOST_DEVICE inline GroupParams<T> group_params(T lowest, T highest, const QuantPlan& plan) {
  GroupParams<T> p{T(1), T(0), T(0), T(0), static_cast<T>(plan.top())};
  if (is_symmetric(plan.form)) {
    const T magnitude = highest > -lowest ? highest : -lowest;
    p.low = plan.integers() ? -p.high - T(1) : -p.high;
    if (magnitude > T(0)) p.scale = symmetric_scale(magnitude, plan);
    if (!(p.scale > T(0))) p.scale = T(1);
    return p;
  }
  if (plan.include_zero) {
    lowest = lowest < T(0) ? lowest : T(0);
    highest = highest > T(0) ? highest : T(0);
  }
  const T scale = round_stored((highest - lowest) / p.high, plan.stored);
  if (plan.form == QuantForm::kMinimum) {
    p.minimum = round_stored(lowest, plan.stored);
    if (scale > T(0)) p.scale = scale;
    return p;
  }
  if (scale > T(0)) {
    p.scale = scale;
    p.zero = round_half_even(-lowest / scale);
    // A scale that was rounded down in storage would ask for a zero point one above the codes.
    if (plan.include_zero && p.zero > p.high) p.zero = p.high;
  } else if (lowest != T(0)) {
    // A constant group of a raw range: code 0 stands for the constant itself.
    p.scale = lowest > T(0) ? lowest : -lowest;
    p.zero = lowest > T(0) ? T(-1) : T(1);
  }
  return p;
}

/// The code of an integer nearest to `x`.
template <class T>
WKVQ_HOST_DEVICE inline T encode_one(T x, const GroupParams<T>& p) {
  T q = round_half_even((x - p.minimum) / p.scale) + p.zero;
  q = q < p.low ? p.low : q;
  return q > p.high ? p.high : q;
}

template <class T>
WKVQ_HOST_DEVICE inline T decode_one(T q, const GroupParams<T>& p) {
  return (q - p.zero) * p.scale + p.minimum;
}

/// The level of a block of ggml: Q8_0 rounds halves away from 0, the others up.
template <class T>
WKVQ_HOST_DEVICE inline T inverse_level(T x, const GroupParams<T>& p, const QuantPlan& plan) {
  const T level = (x - p.origin) * p.inverse;
  if (!plan.integers())
    return static_cast<T>(
        table_value(plan.element.table, table_code(level, plan.element.table, true)));
  if (plan.rule == ScaleRule::kInverse && is_symmetric(plan.form)) return round_half_away(level);
  const T code = round_down(level + (T(0.5) - p.low)) + p.low;
  if (code < p.low) return p.low;
  return code > p.high ? p.high : code;
}

/// The same for the elements of a plan: a code of integers, a value of any other.
template <class T>
WKVQ_HOST_DEVICE inline T nearest_level(T x, const GroupParams<T>& p, const QuantPlan& plan) {
  if (by_inverse(plan.rule)) return inverse_level(x, p, plan);
  return plan.integers() ? encode_one(x, p) : nearest_element(x / p.scale, plan.element);
}

/// The stored byte of a level.
template <class T>
WKVQ_HOST_DEVICE inline uint8_t stored_code(T level, const GroupParams<T>& p,
                                            const QuantPlan& plan) {
  return plan.integers() ? static_cast<uint8_t>(level - p.low) : element_code(level, plan.element);
}

}  // namespace
}  // namespace wkvq
