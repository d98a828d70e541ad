// Fake quantization and its gradient on a device, one thread a group: the plain version, equal to
// the CPU's by sharing group_math.h and group_gradient.h.
#pragma once

#include "core/kernels/group_gradient.h"
#include "core/kernels/launch.h"

namespace wkvq {
namespace {

__device__ inline int64_t thread_index() {
  return blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
}

template <class T>
__global__ void quantize_groups(QuantBuffers<T> buffers, QuantPlan plan) {
  const int64_t groups = plan.groups_per_row(), index = thread_index();
  if (index >= plan.rows * groups) return;
  const int64_t row = index / groups, g = index % groups;
  const int64_t first = row * plan.width + g * plan.group;
  const int64_t rest = plan.width - g * plan.group;
  const int64_t n = rest < plan.group ? rest : plan.group;
  const T* x = buffers.input + first;
  T lowest = x[0], highest = x[0];
  for (int64_t i = 1; i < n; ++i) {
    lowest = x[i] < lowest ? x[i] : lowest;
    highest = x[i] > highest ? x[i] : highest;
  }
  if (buffers.high_ratio) highest *= buffers.high_ratio[index];
  if (buffers.low_ratio) lowest *= buffers.low_ratio[index];
  const GroupParams<T> p = params_of_group(x, n, lowest, highest, plan);
  for (int64_t i = 0; i < n; ++i) {
    const T q = nearest_level(x[i], p, plan);
    if (buffers.output) buffers.output[first + i] = decode_one(q, p);
    if (buffers.codes) buffers.codes[first + i] = stored_code(q, p, plan);
  }
  if (buffers.scale) buffers.scale[index] = p.scale;
  if (buffers.offset)
    buffers.offset[index] = plan.form == QuantForm::kZeroPoint ? p.zero : p.minimum;
}

template <class T>
__global__ void differentiate_groups(QuantGradient<T> gradient, QuantPlan plan) {
  const int64_t index = thread_index();
  if (index < plan.rows * plan.groups_per_row()) differentiate_group(gradient, index, plan);
}

inline LaunchShape group_threads(const QuantPlan& plan) {
  const int64_t groups = plan.rows * plan.groups_per_row();
  return {(groups + kLaunchThreads - 1) / kLaunchThreads, 1, 1, kLaunchThreads};
}

template <class T, class Launch>
void launch_quantize(const Launch& launch, const QuantBuffers<T>& buffers, const QuantPlan& plan) {
  launch(quantize_groups<T>, group_threads(plan), buffers, plan);
}

template <class T, class Launch>
void launch_differentiate(const Launch& launch, const QuantGradient<T>& gradient,
                          const QuantPlan& plan) {
  launch(differentiate_groups<T>, group_threads(plan), gradient, plan);
}

}  // namespace
}  // namespace wkvq
