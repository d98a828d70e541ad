#pragma once

#include <cstdint>
#include <cstring>

// Vectors of the compiler; included only by kernels that are compiled once per instruction set.
// Everything is in an anonymous namespace on purpose: code for AVX-512 must not be shared.
namespace wkvq {
namespace {

#ifdef __AVX512F__
constexpr int64_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int64_t kVectorBytes = 32;
#else
constexpr int64_t kVectorBytes = 16;
#endif

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(kVectorBytes)));
  typedef int32_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(kVectorBytes)));
  typedef int64_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vector = typename VectorOf<T>::Type;
template <class T>
constexpr int64_t kWidth = kVectorBytes / static_cast<int64_t>(sizeof(T));

template <class T>
Vector<T> load(const T* from) {
  Vector<T> x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

template <class T>
void store(T* to, const Vector<T>& x) {
  std::memcpy(to, &x, sizeof x);
}

template <class T>
Vector<T> splat(T x) {
  return x - Vector<T>{};
}

/// exp(x) for x <= 0, to about one unit in the last place; 0 where the result would not be normal.
/// 2^n times a polynomial of the rest (Cephes' for float, Taylor's to x^13 for double: remainder
/// below 4e-18).
inline Vector<float> exp_negative(Vector<float> x) {
  const Vector<float> lowest = splat(-87.0F);
  const auto tiny = x < lowest;
  x = tiny ? lowest : x;
  const Vector<float> shifted = x * 1.44269504F + 12582912.0F;
  const Vector<float> n = shifted - 12582912.0F;
  const Vector<float> r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  constexpr float kCoefficients[] = {1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F,
                                     1.6666665459e-1F, 5.0000001201e-1F};
  Vector<float> p = splat(1.9875691500e-4F);
  for (const float c : kCoefficients) p = p * r + c;
  p = p * r * r + r + 1.0F;
  VectorOf<float>::Bits bits = __builtin_convertvector(n, VectorOf<float>::Bits);
  bits = (bits + 127) << 23;
  Vector<float> power;
  std::memcpy(&power, &bits, sizeof power);
  return tiny ? Vector<float>{} : p * power;
}

inline Vector<double> exp_negative(Vector<double> x) {
  const Vector<double> lowest = splat(-708.0);
  const auto tiny = x < lowest;
  x = tiny ? lowest : x;
  const Vector<double> shifted = x * 1.4426950408889634 + 6755399441055744.0;
  const Vector<double> n = shifted - 6755399441055744.0;
  const Vector<double> r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  constexpr double kFactorials[] = {479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0,
                                    5040.0,      720.0,      120.0,     24.0,     6.0,
                                    2.0,         1.0,        1.0};
  Vector<double> p = splat(1.0 / 6227020800.0);
  for (const double factorial : kFactorials) p = p * r + 1.0 / factorial;
  // The low bits of the shifted number are n itself.
  VectorOf<double>::Bits bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 1023) << 52;
  Vector<double> power;
  std::memcpy(&power, &bits, sizeof power);
  return tiny ? Vector<double>{} : p * power;
}

}  // namespace
}  // namespace wkvq
