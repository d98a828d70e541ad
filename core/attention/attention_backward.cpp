#include "core/attention/attention_backward.h"

#include "core/attention/attention_problem.h"
#include "core/attention/chunked_attention.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

template <class T>
void differentiate(const at::Tensor& grad, const AttentionRecord& record,
                   const AttentionBounds& bounds, AttentionGradients& gradients) {
  static const auto kernel = attention_kernels<T>().backward;
  for_each_kv_head(record.query, record.kv, [&](const KvHead& head) {
    const auto queries = head.const_queries<T>(record.query),
               out = head.const_queries<T>(record.out), incoming = head.const_queries<T>(grad);
    const auto query_grad = head.queries<T>(gradients.query);
    const auto rows = [&](const at::Tensor& x) { return rows_of<T>(x, head.batch, head.head); };
    AttentionGradientProblem<T> problem{
        .forward = problem_of<T>(head, record.query, record.kv, bounds),
        .out = out.data(),
        .grad = incoming.data(),
        .query_grad = query_grad.data(),
        .key_grad = rows(gradients.kv.key),
        .value_grad = rows(gradients.kv.value),
        .key_hat_grad = rows(gradients.kv.key_hat),
        .value_hat_grad = rows(gradients.kv.value_hat)};
    problem.forward.query = queries.data();
    kernel(problem);
  });
}

}  // namespace

AttentionGradients attention_backward(const at::Tensor& grad, const AttentionRecord& record,
                                      const AttentionBounds& bounds) {
  if (!record.query.is_cpu()) return chunked_attention_backward(grad, record, bounds);
  const auto like = [](const at::Tensor& x) {
    return x.defined() ? at::empty(x.sizes(), x.options()) : x;
  };
  const KvPair& kv = record.kv;
  AttentionGradients gradients{
      like(record.query), {like(kv.key), like(kv.value), like(kv.key_hat), like(kv.value_hat)}};
  const at::Tensor incoming = grad.stride(3) == 1 ? grad : grad.contiguous();
  with_dtype(record.query, [&](auto zero) {
    differentiate<decltype(zero)>(incoming, record, bounds, gradients);
  });
  return gradients;
}

}  // namespace wkvq
