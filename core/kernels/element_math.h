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

// The values that codes stand for: rounding to them and their bits, shared word for word by the CPU
// and the CUDA kernels. Internal linkage, as in group_math.h.
namespace wkvq {
namespace {

WKVQ_HOST_DEVICE inline float round_half_even(float x) {
  return rintf(x);
}
WKVQ_HOST_DEVICE inline double round_half_even(double x) {
  return rint(x);
}
WKVQ_HOST_DEVICE inline float round_down(float x) {
  return floorf(x);
}
WKVQ_HOST_DEVICE inline double round_down(double x) {
  return floor(x);
}
// Without a call, so that loops over them become vectors: the largest number below a half is added,
// and what has a half or more goes up.
WKVQ_HOST_DEVICE inline float round_half_away(float x) {
  return truncf(x + copysignf(0x1.fffffep-2f, x));
}
WKVQ_HOST_DEVICE inline double round_half_away(double x) {
  return trunc(x + copysign(0x1.fffffffffffffp-2, x));
}

/// floor(log2 x) of a normal x > 0, and 2^e of a normal result: bits alone, so that loops over them
/// become vectors.
WKVQ_HOST_DEVICE inline int binary_exponent(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return static_cast<int>(bits >> 23 & 0xffu) - 127;
}
WKVQ_HOST_DEVICE inline int binary_exponent(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return static_cast<int>(bits >> 52 & 0x7ffu) - 1023;
}
WKVQ_HOST_DEVICE inline float power_of_two(int e, float /*type*/) {
  const uint32_t bits = static_cast<uint32_t>(e + 127) << 23;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
WKVQ_HOST_DEVICE inline double power_of_two(int e, double /*type*/) {
  const uint64_t bits = static_cast<uint64_t>(e + 1023) << 52;
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// `x` rounded to the floats of `element`, half to even, beyond the largest to the largest.
template <class T>
WKVQ_HOST_DEVICE inline T nearest_float(T x, const Element& element) {
  const T largest = static_cast<T>(element.largest);
  T size = x < T(0) ? -x : x;
  size = size > largest ? largest : size;  // NaN stays
  const int exponent = binary_exponent(size);
  const int step = (exponent < element.lowest_exponent ? element.lowest_exponent : exponent) -
                   element.mantissa_bits;
  const T rounded = round_half_even(size * power_of_two(-step, T(0))) * power_of_two(step, T(0));
  return x < T(0) ? -rounded : rounded;
}

/// What code 0..15 of a table stands for, ascending.
WKVQ_HOST_DEVICE inline double table_value(ElementTable table, int code) {
  constexpr double kNf4[16] = {-1.0,
                               -0.6961928009986877,
                               -0.5250730514526367,
                               -0.39491748809814453,
                               -0.28444138169288635,
                               -0.18477343022823334,
                               -0.09105003625154495,
                               0.0,
                               0.07958029955625534,
                               0.16093020141124725,
                               0.24611230194568634,
                               0.33791524171829224,
                               0.44070982933044434,
                               0.5626170039176941,
                               0.7229568362236023,
                               1.0};
  constexpr double kIq4Nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};
  return table == ElementTable::kNf4 ? kNf4[code] : kIq4Nl[code];
}

/// The code of the nearest value of a table; of two that are as near the lower one, or the upper.
template <class T>
WKVQ_HOST_DEVICE inline int table_code(T x, ElementTable table, bool upper = false) {
  int code = 0;
  for (int i = 0; i < 15; ++i) {
    const T middle = static_cast<T>((table_value(table, i) + table_value(table, i + 1)) / 2);
    code += x > middle || (upper && x == middle) ? 1 : 0;
  }
  return code;
}

/// The nearest value of an element other than integers.
template <class T>
WKVQ_HOST_DEVICE inline T nearest_element(T x, const Element& element) {
  if (element.kind == ElementKind::kFloat) return nearest_float(x, element);
  return x != x ? x : static_cast<T>(table_value(element.table, table_code(x, element.table)));
}

/// Bits of the exponent and mantissa of a float: the place of its sign.
WKVQ_HOST_DEVICE inline int magnitude_bits(const Element& element) {
  int bits = element.mantissa_bits;
  int highest = binary_exponent(element.largest) - element.lowest_exponent + 1;  // exponent field
  for (; highest > 0; highest >>= 1) ++bits;
  return bits;
}

/// The bits of a value that nearest_element gave: floats sign, exponent, mantissa; of a table its
/// place.
template <class T>
WKVQ_HOST_DEVICE inline uint8_t element_code(T value, const Element& element) {
  if (element.kind == ElementKind::kTable)
    return static_cast<uint8_t>(table_code(value, element.table));
  const T size = value < T(0) ? -value : value;
  const int lowest = element.lowest_exponent, mantissa = element.mantissa_bits;
  const int exponent = binary_exponent(size);
  const int at = exponent < lowest ? lowest : exponent;
  // Whole steps at this exponent: a normal value has its leading bit among them.
  const int steps = static_cast<int>(size * power_of_two(mantissa - at, T(0)));
  const int code = ((at - lowest) << mantissa) + steps;
  const bool negative = copysign(T(1), value) < T(0);
  return static_cast<uint8_t>(negative ? code + (1 << magnitude_bits(element)) : code);
}

/// The element that a code stands for; element_code backwards. Whole numbers: the code.
template <class T>
WKVQ_HOST_DEVICE inline T element_value(uint32_t code, const Element& element, T type) {
  if (element.kind == ElementKind::kInteger) return static_cast<T>(code);
  if (element.kind == ElementKind::kTable)
    return static_cast<T>(table_value(element.table, static_cast<int>(code)));
  const int mantissa = element.mantissa_bits, sign = magnitude_bits(element);
  const uint32_t size = code & ((1u << sign) - 1u), field = size >> mantissa;
  const uint32_t steps = (size & ((1u << mantissa) - 1u)) + (field > 0 ? 1u << mantissa : 0u);
  const int exponent =
      element.lowest_exponent + (field > 0 ? static_cast<int>(field) - 1 : 0) - mantissa;
  const T value = static_cast<T>(steps) * power_of_two(exponent, type);
  return code >> sign != 0 ? -value : value;
}

}  // namespace
}  // namespace wkvq
