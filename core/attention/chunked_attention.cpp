#include "core/attention/chunked_attention.h"

#include <cmath>

#include "core/attention/attention_chunks.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// One kv head of one sequence: queries [repeat, seq, dim] (scaled), rows [seq, dim].
struct Head {
  at::Tensor query, grad, out, query_grad;
  KvPair kv, kv_grad;
};

void head_backward(const Head& head, const std::vector<AttentionChunk>& chunks) {
  for (const AttentionChunk& chunk : chunks) {
    const auto rows = [&](const at::Tensor& x) {
      return x.narrow(1, chunk.first, chunk.last - chunk.first);
    };
    const at::Tensor query = rows(head.query), grad = rows(head.grad);
    const at::Tensor weights = chunk.weights(query, head.kv.key_hat, head.kv.key);
    chunk.values.scatter(weights, grad, head.kv_grad.value_hat, head.kv_grad.value);
    const at::Tensor mean = (grad * rows(head.out)).sum(-1, true);
    const at::Tensor score_grad =
        chunk.values.product(grad, head.kv.value_hat, head.kv.value).sub_(mean).mul_(weights);
    chunk.keys.scatter(score_grad, query, head.kv_grad.key_hat, head.kv_grad.key);
    rows(head.query_grad).copy_(chunk.keys.gather(score_grad, head.kv.key_hat, head.kv.key));
  }
}

}  // namespace

at::Tensor chunked_attention(const at::Tensor& query, const KvPair& kv,
                             const AttentionBounds& bounds) {
  const int64_t kv_heads = kv.key.size(1), repeat = query.size(1) / kv_heads;
  const at::Tensor scaled = query * (1.0 / std::sqrt(static_cast<double>(query.size(3))));
  const std::vector<AttentionChunk> chunks = attention_chunks(bounds, query);
  const at::Tensor out = at::empty(query.sizes(), query.options());
  for (int64_t i = 0; i < query.size(0) * kv_heads; ++i) {
    const auto rows = [&](const at::Tensor& x) {
      return x.defined() ? x[i / kv_heads][i % kv_heads] : x;
    };
    for (const AttentionChunk& chunk : chunks) {
      const auto queries = [&](const at::Tensor& x) {
        return x[i / kv_heads]
            .narrow(0, i % kv_heads * repeat, repeat)
            .narrow(1, chunk.first, chunk.last - chunk.first);
      };
      const at::Tensor weights = chunk.weights(queries(scaled), rows(kv.key_hat), rows(kv.key));
      queries(out).copy_(chunk.values.gather(weights, rows(kv.value_hat), rows(kv.value)));
    }
  }
  return out;
}

AttentionGradients chunked_attention_backward(const at::Tensor& grad, const AttentionRecord& record,
                                              const AttentionBounds& bounds) {
  const at::NoGradGuard no_grad;
  const auto zeros = [](const at::Tensor& x) {
    return x.defined() ? at::zeros(x.sizes(), x.options()) : x;
  };
  const KvPair& kv = record.kv;
  const double scale = 1 / std::sqrt(static_cast<double>(record.query.size(3)));
  AttentionGradients gradients{
      at::empty(record.query.sizes(), record.query.options()),
      {zeros(kv.key), zeros(kv.value), zeros(kv.key_hat), zeros(kv.value_hat)}};
  const int64_t kv_heads = kv.key.size(1), repeat = record.query.size(1) / kv_heads;
  const at::Tensor scaled = record.query * scale;
  const std::vector<AttentionChunk> chunks = attention_chunks(bounds, record.query);
  for (int64_t i = 0; i < record.query.size(0) * kv_heads; ++i) {
    const auto rows = [&](const at::Tensor& x) {
      return x.defined() ? x[i / kv_heads][i % kv_heads] : x;
    };
    const auto queries = [&](const at::Tensor& x) {
      return x[i / kv_heads].narrow(0, i % kv_heads * repeat, repeat);
    };
    const auto pair = [&](const KvPair& p) {
      return KvPair{rows(p.key), rows(p.value), rows(p.key_hat), rows(p.value_hat)};
    };
    head_backward({queries(scaled), queries(grad), queries(record.out), queries(gradients.query),
                   pair(kv), pair(gradients.kv)},
                  chunks);
  }
  gradients.query.mul_(scale);
  return gradients;
}

}  // namespace wkvq
