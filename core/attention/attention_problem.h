#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "core/attention/attention_bounds.h"
#include "core/attention/masked_attention.h"
#include "core/kernels/attention_rows.h"

namespace wkvq {

/// The kernels of the best instruction set of this processor.
template <class T>
struct AttentionKernels {
  void (*forward)(const AttentionProblem<T>&);
  void (*backward)(const AttentionGradientProblem<T>&);
};
template <class T>
AttentionKernels<T> attention_kernels();

/// Calls `f` with a zero of the dtype of `x`: float64 or float32.
template <class F>
void with_dtype(const at::Tensor& x, F&& f) {
  if (x.scalar_type() == at::kDouble)
    f(double{});
  else
    f(float{});
}

/// Rows of head `head` of sequence `batch` of x [batch, heads, seq, dim]; none where undefined.
template <class T>
Rows<T> rows_of(const at::Tensor& x, int64_t batch, int64_t head) {
  if (!x.defined()) return {};
  return {x.data_ptr<T>() + batch * x.stride(0) + head * x.stride(1), x.stride(2)};
}
template <class T>
Rows<const T> const_rows_of(const at::Tensor& x, int64_t batch, int64_t head) {
  if (!x.defined()) return {};
  return {x.const_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1), x.stride(2)};
}

/// One kv head of one sequence and the query heads that read it.
struct KvHead {
  int64_t batch, head, repeat;

  template <class T>
  std::vector<Rows<T>> queries(const at::Tensor& x) const {
    std::vector<Rows<T>> rows;
    for (int64_t j = 0; j < repeat; ++j) rows.push_back(rows_of<T>(x, batch, head * repeat + j));
    return rows;
  }
  template <class T>
  std::vector<Rows<const T>> const_queries(const at::Tensor& x) const {
    std::vector<Rows<const T>> rows;
    for (int64_t j = 0; j < repeat; ++j)
      rows.push_back(const_rows_of<T>(x, batch, head * repeat + j));
    return rows;
  }
};

/// Calls `f(head)` for every kv head of every sequence, several threads at a time: heads share
/// nothing, so sums do not depend on the number of threads.
void for_each_kv_head(const at::Tensor& query, const KvPair& kv,
                      const std::function<void(const KvHead&)>& f);

/// All but `query` and `out` of the problem of one kv head; borrows from its arguments.
template <class T>
AttentionProblem<T> problem_of(const KvHead& at, const at::Tensor& query, const KvPair& kv,
                               const AttentionBounds& bounds);

}  // namespace wkvq
