#pragma once

#include "core/kernels/group_params.h"

// The backward pass of one quantization group, shared by the CPU and the CUDA kernels; see
// fake_quant_backward.
namespace wkvq {
namespace {

/// Where the backward pass of one group reads and writes.
template <class T>
struct GroupGradient {
  const T *grad, *x;
  T* out;
  const T *high_ratio, *low_ratio;  // of this group, or null
  T *high_grad, *low_grad;          // likewise
};

/// Passes the gradients of a group's range on to the elements and ratios that set it.
template <class T>
WKVQ_HOST_DEVICE inline void range_gradient(const GroupGradient<T>& at, int64_t index, bool upper,
                                            T gradient) {
  const T* ratio = upper ? at.high_ratio : at.low_ratio;
  if (!ratio) {
    at.out[index] += gradient;
    return;
  }
  at.out[index] += gradient * *ratio;
  *(upper ? at.high_grad : at.low_grad) += gradient * at.x[index];
}

/// Passes on the gradient of the deviation of element `index` from the mean.
template <class T>
WKVQ_HOST_DEVICE inline void centre_gradient(const GroupGradient<T>& at, int64_t n, int64_t index,
                                             T gradient) {
  at.out[index] += gradient;
  for (int64_t i = 0; i < n; ++i) at.out[i] -= gradient / static_cast<T>(n);
}

/// A group of n elements.
template <class T>
WKVQ_HOST_DEVICE inline void backward_group(const GroupGradient<T>& at, int64_t n,
                                            const QuantPlan& plan) {
  const T* x = at.x;
  int64_t lowest = 0, highest = 0;
  for (int64_t i = 1; i < n; ++i) {
    if (x[i] < x[lowest]) lowest = i;
    if (x[i] > x[highest]) highest = i;
  }
  const T low = at.low_ratio ? x[lowest] * *at.low_ratio : x[lowest];
  const T high = at.high_ratio ? x[highest] * *at.high_ratio : x[highest];
  const GroupParams<T> p = params_of_group(x, n, low, high, plan);
  T grad_scale = 0, grad_minimum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T position = (x[i] - p.minimum) / p.scale;
    const T q = plan.integers() ? round_half_even(position) + p.zero : position;
    const bool inside = q >= p.low && q <= p.high;
    const T code = plan.integers() && !by_inverse(plan.rule)
                       ? (inside ? q : (q < p.low ? p.low : p.high)) - p.zero
                       : nearest_level(x[i], p, plan);
    at.out[i] = inside ? at.grad[i] : T(0);
    grad_scale += at.grad[i] * (inside ? code - position : code);
    if (!inside && plan.form == QuantForm::kMinimum) grad_minimum += at.grad[i];
  }
  if (plan.rule == ScaleRule::kOne) return;
  if (plan.form == QuantForm::kMean) {
    centre_gradient(at, n, high - p.minimum > p.minimum - low ? highest : lowest,
                    (high - p.minimum > p.minimum - low ? grad_scale : -grad_scale) / p.high);
    return;
  }
  // A degenerate group has a constant scale. A scale that is rounded, if only to a power of two,
  // passes its gradient as if it were not.
  const T gradient = high > low || plan.form != QuantForm::kMinimum
                         ? grad_scale / static_cast<T>(plan.span())
                         : T(0);
  if (is_symmetric(plan.form)) {
    const bool upper = high > -low;
    const bool negative =
        plan.rule == ScaleRule::kInverseSigned || plan.rule == ScaleRule::kInverseFitted || !upper;
    range_gradient(at, upper ? highest : lowest, upper, negative ? -gradient : gradient);
    return;
  }
  const bool floor_is_zero = plan.include_zero && !(low < T(0));
  const bool ceiling_is_zero = plan.include_zero && !(high > T(0));
  if (!ceiling_is_zero) range_gradient(at, highest, true, gradient);
  if (!floor_is_zero) range_gradient(at, lowest, false, grad_minimum - gradient);
}

/// Group `index` of all of them, counted along the rows.
template <class T>
WKVQ_HOST_DEVICE inline void differentiate_group(const QuantGradient<T>& all, int64_t index,
                                                 const QuantPlan& plan) {
  const int64_t groups = plan.groups_per_row(), column = index % groups * plan.group;
  const int64_t first = index / groups * plan.width + column, rest = plan.width - column;
  backward_group<T>({all.grad + first, all.input + first, all.output + first,
                     all.high_ratio ? all.high_ratio + index : nullptr,
                     all.low_ratio ? all.low_ratio + index : nullptr,
                     all.high_grad ? all.high_grad + index : nullptr,
                     all.low_grad ? all.low_grad + index : nullptr},
                    rest < plan.group ? rest : plan.group, plan);
}

}  // namespace
}  // namespace wkvq
