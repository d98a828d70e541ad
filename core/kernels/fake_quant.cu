#include <cuda_runtime.h>

#include "core/kernels/group_math.h"
#include "core/kernels/quantize_rows.h"

namespace wkvq {

namespace {

// One thread a group: the plain version, equal to the CPU's by sharing group_math.h.
template <class T>
__global__ void quantize_groups(QuantBuffers<T> buffers, QuantPlan plan, int64_t groups) {
  const int64_t index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
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
  const GroupParams<T> p = group_params(lowest, highest, plan);
  for (int64_t i = 0; i < n; ++i) {
    const T q = encode_one(x[i], p);
    if (buffers.output) buffers.output[first + i] = decode_one(q, p);
    if (buffers.codes) buffers.codes[first + i] = static_cast<uint8_t>(q - p.low);
  }
  if (buffers.scale) buffers.scale[index] = p.scale;
  if (buffers.offset)
    buffers.offset[index] = plan.form == PlanForm::kZeroPoint ? p.zero : p.minimum;
}

}  // namespace

template <class T>
void quantize_rows_cuda(const QuantBuffers<T>& buffers, const QuantPlan& plan, void* stream) {
  constexpr int kThreads = 128;
  const int64_t groups = (plan.width + plan.group - 1) / plan.group;
  const int64_t blocks = (plan.rows * groups + kThreads - 1) / kThreads;
  if (blocks == 0) return;
  quantize_groups<<<static_cast<unsigned>(blocks), kThreads, 0,
                    static_cast<cudaStream_t>(stream)>>>(buffers, plan, groups);
}

template void quantize_rows_cuda(const QuantBuffers<float>&, const QuantPlan&, void*);
template void quantize_rows_cuda(const QuantBuffers<double>&, const QuantPlan&, void*);

}  // namespace wkvq
