#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/kernels/quant_plan.h"

#ifdef __CUDACC__
#define WKVQ_HOST_DEVICE __host__ __device__
#else
#define WKVQ_HOST_DEVICE
#endif

// The arithmetic of one quantization group, shared word for word by the CPU and the CUDA kernels.
// Internal linkage: the CPU kernel is compiled for several instruction sets, and the linker must
// not mix them.
namespace wkvq {
namespace {

/// What a group stores: x' = (q - zero) * scale + minimum. Form A uses zero, form B minimum, form C
/// neither.
template <class T>
struct GroupParams {
  T scale;
  T zero;
  T minimum;
  T low;   // lowest code
  T high;  // highest code
};

WKVQ_HOST_DEVICE inline float round_half_even(float x) {
  return rintf(x);
}
WKVQ_HOST_DEVICE inline double round_half_even(double x) {
  return rint(x);
}

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
WKVQ_HOST_DEVICE inline T round_stored(T x, StoredScale stored) {
  switch (stored) {
    case StoredScale::kFloat32:
      return static_cast<T>(static_cast<float>(x));
    case StoredScale::kFloat16:
      return static_cast<T>(to_float16(static_cast<float>(x)));
    case StoredScale::kBfloat16:
      return static_cast<T>(to_bfloat16(static_cast<float>(x)));
    case StoredScale::kCompute:
      break;
  }
  return x;
}

/// Scale and offset of a group whose elements span [lowest, highest].
template <class T>
WKVQ_HOST_DEVICE inline GroupParams<T> group_params(T lowest, T highest, const QuantPlan& plan) {
  GroupParams<T> p{T(1), T(0), T(0), T(0), static_cast<T>(plan.max_code)};
  if (plan.form == PlanForm::kSymmetric) {
    const T magnitude = highest > -lowest ? highest : -lowest;
    p.low = -static_cast<T>(plan.max_code) - T(1);
    if (magnitude > T(0)) p.scale = round_stored(magnitude / p.high, plan.stored);
    if (!(p.scale > T(0))) p.scale = T(1);
    return p;
  }
  if (plan.include_zero) {
    lowest = lowest < T(0) ? lowest : T(0);
    highest = highest > T(0) ? highest : T(0);
  }
  const T scale = round_stored((highest - lowest) / p.high, plan.stored);
  if (plan.form == PlanForm::kMinimum) {
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

}  // namespace
}  // namespace wkvq
