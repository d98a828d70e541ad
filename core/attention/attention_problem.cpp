#include "core/attention/attention_problem.h"

#include <cmath>

#include "core/device/torch_headers.h"
#include "core/kernels/cpu_isa.h"

namespace wkvq {

template <class T>
AttentionKernels<T> attention_kernels() {
  const CpuIsa isa = cpu_isa();
  if (isa == CpuIsa::kAvx512) return {attention_rows_avx512<T>, attention_backward_rows_avx512<T>};
  if (isa == CpuIsa::kAvx2) return {attention_rows_avx2<T>, attention_backward_rows_avx2<T>};
  return {attention_rows_generic<T>, attention_backward_rows_generic<T>};
}

template AttentionKernels<float> attention_kernels();
template AttentionKernels<double> attention_kernels();

void for_each_kv_head(const at::Tensor& query, const KvPair& kv,
                      const std::function<void(const KvHead&)>& f) {
  const int64_t kv_heads = kv.key.size(1), repeat = query.size(1) / kv_heads;
  at::parallel_for(0, query.size(0) * kv_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f({i / kv_heads, i % kv_heads, repeat});
  });
}

template <class T>
AttentionProblem<T> problem_of(const KvHead& at, const at::Tensor& query, const KvPair& kv,
                               const AttentionBounds& bounds) {
  const auto rows = [&](const at::Tensor& x) { return const_rows_of<T>(x, at.batch, at.head); };
  return {.first = bounds.first,
          .seq = query.size(2),
          .dim = query.size(3),
          .repeat = at.repeat,
          .query = nullptr,
          .out = nullptr,
          .key = rows(kv.key),
          .value = rows(kv.value),
          .key_hat = rows(kv.key_hat),
          .value_hat = rows(kv.value_hat),
          .key_bound = bounds.key.data(),
          .value_bound = bounds.value.data(),
          .lowest = bounds.lowest.data(),
          .scale = static_cast<T>(1 / std::sqrt(static_cast<double>(query.size(3))))};
}

template AttentionProblem<float> problem_of(const KvHead&, const at::Tensor&, const KvPair&,
                                            const AttentionBounds&);
template AttentionProblem<double> problem_of(const KvHead&, const at::Tensor&, const KvPair&,
                                             const AttentionBounds&);

}  // namespace wkvq
