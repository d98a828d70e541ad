#pragma once

#include "core/kernels/group_math.h"

// What a group stores where it depends on all of its elements: the mean, ggml's blocks, the better
// of two scales. Shared word for word by the CPU and the CUDA kernels; internal linkage, as in
// group_math.h.
namespace wkvq {
namespace {

template <class T>
WKVQ_HOST_DEVICE inline T squared_error(const T* x, int64_t n, const GroupParams<T>& p,
                                        const QuantPlan& plan) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T error = decode_one(nearest_level(x[i], p, plan), p) - x[i];
    sum += error * error;
  }
  return sum;
}

/// Form mean of a group of n elements that span [lowest, highest].
template <class T>
WKVQ_HOST_DEVICE inline GroupParams<T> centred_params(const T* x, int64_t n, T lowest, T highest,
                                                      const QuantPlan& plan) {
  GroupParams<T> p{T(1), T(0), T(0), static_cast<T>(-plan.top()), static_cast<T>(plan.top())};
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  p.minimum = round_stored(static_cast<T>(sum / static_cast<double>(n)), plan.stored);
  const T above = highest - p.minimum, below = p.minimum - lowest;
  const T scale = round_stored((above > below ? above : below) / p.high, plan.stored);
  if (scale > T(0)) p.scale = scale;
  return p;
}

/// The value of the largest magnitude with its sign; of two the first.
template <class T>
WKVQ_HOST_DEVICE inline T signed_largest(const T* x, int64_t n, T lowest, T highest) {
  if (highest != -lowest) return highest > -lowest ? highest : lowest;
  for (int64_t i = 0; i < n; ++i)
    if (x[i] == highest || x[i] == lowest) return x[i];
  return highest;
}

/// A block of ggml (quantize_row_*_ref). A scale that is lost in storage is 0, as there.
template <class T>
WKVQ_HOST_DEVICE inline GroupParams<T> inverse_params(const T* x, int64_t n, T lowest, T highest,
                                                      const QuantPlan& plan) {
  GroupParams<T> p = group_params(lowest, highest, plan);
  if (plan.form == QuantForm::kMinimum) {
    const T scale = (highest - lowest) / p.high;
    p.inverse = scale != T(0) ? T(1) / scale : T(0);
    p.origin = lowest;
    p.minimum = round_stored(lowest, plan.stored);  // the range is raw, whatever the plan says
    p.scale = round_stored(scale, plan.stored);
    return p;
  }
  const T span = static_cast<T>(plan.span());
  const T extreme = signed_largest(x, n, lowest, highest);
  T scale = plan.rule == ScaleRule::kInverse ? (extreme < T(0) ? -extreme : extreme) / span
                                             : extreme / -span;
  p.inverse = scale != T(0) ? T(1) / scale : T(0);
  if (plan.rule == ScaleRule::kInverseFitted) {
    T products = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T level = inverse_level(x[i], p, plan), weight = x[i] * x[i];
      products += weight * level * x[i];
      squares += weight * level * level;
    }
    scale = squares > T(0) ? products / squares : T(0);
  }
  p.scale = round_stored(scale, plan.stored);
  return p;
}

/// group_params of a group of n elements, which some forms and scale rules look at.
template <class T>
WKVQ_HOST_DEVICE inline GroupParams<T> params_of_group(const T* x, int64_t n, T lowest, T highest,
                                                       const QuantPlan& plan) {
  if (plan.form == QuantForm::kMean) return centred_params(x, n, lowest, highest, plan);
  if (by_inverse(plan.rule)) return inverse_params(x, n, lowest, highest, plan);
  const GroupParams<T> six = group_params(lowest, highest, plan);
  if (plan.rule != ScaleRule::kFourOverSix) return six;
  GroupParams<T> four = six;
  four.scale = two_level_scale(highest > -lowest ? highest : -lowest, T(4), plan);
  if (!(four.scale > T(0))) return six;
  return squared_error(x, n, four, plan) < squared_error(x, n, six, plan) ? four : six;
}

}  // namespace
}  // namespace wkvq
