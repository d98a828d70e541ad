#pragma once

#include <array>
#include <cmath>
#include <cstdint>

// What a decoder block does with one row of numbers, shared by the loops over tensors and by those
// over plain memory: the same bits in both.
namespace wkvq {

/// Several partial sums, so that the compiler may use vector registers.
template <class T>
T sum_of_squares(const T* x, int64_t width) {
  constexpr int64_t kLanes = 16;
  std::array<T, kLanes> partial{};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) partial[lane] += x[i + lane] * x[i + lane];
  }
  T sum = 0;
  for (; i < width; ++i) sum += x[i] * x[i];
  for (T value : partial) sum += value;
  return sum;
}

/// out = x / sqrt(mean(x^2) + eps) * scale; `out` may be `x`.
template <class T>
void rms_norm_row(const T* x, const T* scale, int64_t width, double eps, T* out) {
  const T mean = sum_of_squares(x, width) / static_cast<T>(width);
  const T factor = T{1} / std::sqrt(mean + static_cast<T>(eps));
  for (int64_t i = 0; i < width; ++i) out[i] = x[i] * factor * scale[i];
}

/// The pairs (i, i + half) of `x` turned by the angles of `cos` and `sin` [half].
template <class T>
void rotate_row(const T* x, const T* cos, const T* sin, int64_t half, T* out) {
  for (int64_t i = 0; i < half; ++i) {
    out[i] = x[i] * cos[i] - x[i + half] * sin[i];
    out[i + half] = x[i + half] * cos[i] + x[i] * sin[i];
  }
}

}  // namespace wkvq
