#include "core/attention_backward.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/torch_headers.h"

namespace wkvq {

namespace {

constexpr int64_t kChunk = 128;  // queries whose softmax is alive at once

/// Tokens [start, end) as one chunk of queries sees them: quantized ones end at `high` at the
/// latest, exact ones begin at `low` at the earliest; `mask` tells the two apart in between.
struct Split {
  int64_t start, low, high, end;
  at::Tensor mask;  // [queries, high - low], true where quantized; undefined where low == high

  int64_t quantized() const { return high - start; }
  int64_t exact() const { return end - low; }
};

Split split_of(const std::vector<int64_t>& bound, int64_t first, int64_t last, int64_t start,
               const at::Tensor& like) {
  const auto [low, high] = std::minmax_element(bound.begin() + first, bound.begin() + last);
  Split split{start, std::max(start, *low), std::max(start, *high), last, {}};
  if (split.low == split.high) return split;
  const std::vector<int64_t> chunk(bound.begin() + first, bound.begin() + last);
  split.mask = (at::arange(split.low, split.high).unsqueeze(0) < at::tensor(chunk).unsqueeze(1))
                   .to(like.device());
  return split;
}

/// left [heads, queries, dim] times the rows that each query sees: [heads, queries, end - start].
at::Tensor seen_product(const Split& split, const at::Tensor& left, const at::Tensor& quantized,
                        const at::Tensor& exact) {
  const auto product = [&](const at::Tensor& rows, int64_t from, int64_t to) {
    return at::matmul(left, rows.narrow(0, from, to - from).t());
  };
  if (split.quantized() == 0) return product(exact, split.start, split.end);
  at::Tensor all = left.new_empty({left.size(0), left.size(1), split.end - split.start});
  all.narrow(2, 0, split.quantized()).copy_(product(quantized, split.start, split.high));
  if (split.exact() == 0) return all;
  const at::Tensor right = product(exact, split.low, split.end);
  const int64_t band = split.high - split.low;
  at::Tensor in_band = all.narrow(2, split.low - split.start, band);
  if (band > 0) in_band.copy_(at::where(split.mask, in_band, right.narrow(2, 0, band)));
  all.narrow(2, split.quantized(), split.end - split.high)
      .copy_(right.narrow(2, band, split.end - split.high));
  return all;
}

/// The part of `weights` [heads, queries, end - start] that goes to the quantized or the exact
/// rows.
at::Tensor part(const Split& split, const at::Tensor& weights, bool quantized) {
  const int64_t band = split.high - split.low;
  at::Tensor x = quantized ? weights.narrow(2, 0, split.quantized())
                           : weights.narrow(2, split.low - split.start, split.exact());
  if (band == 0) return x;
  x = x.clone();
  x.narrow(2, quantized ? split.low - split.start : 0, band)
      .masked_fill_(quantized ? split.mask.logical_not() : split.mask, 0);
  return x;
}

/// grad[s] += sum over heads and queries of weights[.., s] left[..], for the rows each query sees.
void scatter(const Split& split, const at::Tensor& weights, const at::Tensor& left,
             const at::Tensor& quantized_grad, const at::Tensor& exact_grad) {
  const at::Tensor flat = left.flatten(0, 1);
  const auto add = [&](const at::Tensor& grad, const at::Tensor& w, int64_t from) {
    grad.narrow(0, from, w.size(2)).addmm_(w.flatten(0, 1).t(), flat);
  };
  if (split.quantized() > 0) add(quantized_grad, part(split, weights, true), split.start);
  if (split.exact() > 0) add(exact_grad, part(split, weights, false), split.low);
}

/// weights times the rows that each query sees.
at::Tensor gather(const Split& split, const at::Tensor& weights, const at::Tensor& quantized,
                  const at::Tensor& exact) {
  at::Tensor sum;
  if (split.quantized() > 0)
    sum =
        at::matmul(part(split, weights, true), quantized.narrow(0, split.start, split.quantized()));
  if (split.exact() > 0) {
    const at::Tensor more =
        at::matmul(part(split, weights, false), exact.narrow(0, split.low, split.exact()));
    sum = sum.defined() ? sum.add_(more) : more;
  }
  return sum;
}

/// One kv head of one sequence: queries [repeat, seq, dim] (scaled), rows [seq, dim].
struct Head {
  at::Tensor query, grad, out, query_grad;
  KvPair kv, kv_grad;
};

void head_backward(const Head& head, const AttentionBounds& bounds) {
  const int64_t seq = head.query.size(1);
  for (int64_t first = 0; first < seq; first += kChunk) {
    const int64_t last = std::min(first + kChunk, seq), n = last - first;
    const int64_t start = bounds.lowest[static_cast<size_t>(first)];
    const Split keys = split_of(bounds.key, first, last, start, head.query);
    const Split values = split_of(bounds.value, first, last, start, head.query);
    const at::Tensor query = head.query.narrow(1, first, n), grad = head.grad.narrow(1, first, n);
    at::Tensor scores = seen_product(keys, query, head.kv.key_hat, head.kv.key);
    const std::vector<int64_t> lowest(bounds.lowest.begin() + first, bounds.lowest.begin() + last);
    const at::Tensor token = at::arange(start, last);
    const at::Tensor hidden = (token > at::arange(first, last).unsqueeze(1))
                                  .logical_or_(token < at::tensor(lowest).unsqueeze(1))
                                  .to(query.device());
    scores.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
    const at::Tensor weights = at::softmax(scores, -1);
    scatter(values, weights, grad, head.kv_grad.value_hat, head.kv_grad.value);
    const at::Tensor mean = (grad * head.out.narrow(1, first, n)).sum(-1, true);
    const at::Tensor score_grad =
        seen_product(values, grad, head.kv.value_hat, head.kv.value).sub_(mean).mul_(weights);
    scatter(keys, score_grad, query, head.kv_grad.key_hat, head.kv_grad.key);
    head.query_grad.narrow(1, first, n)
        .copy_(gather(keys, score_grad, head.kv.key_hat, head.kv.key));
  }
}

}  // namespace

AttentionGradients attention_backward(const at::Tensor& grad, const AttentionRecord& record,
                                      const AttentionBounds& bounds) {
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
  const auto run = [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) {
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
                    bounds);
    }
  };
  const int64_t count = record.query.size(0) * kv_heads;
  if (record.query.is_cpu()) {
    at::parallel_for(0, count, 1, run);
  } else {
    run(0, count);
  }
  gradients.query.mul_(scale);
  return gradients;
}

}  // namespace wkvq
