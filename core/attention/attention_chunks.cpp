#include "core/attention/attention_chunks.h"

#include <algorithm>
#include <limits>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

at::Tensor part_of(const std::vector<int64_t>& x, int64_t first, int64_t last) {
  return at::tensor(std::vector<int64_t>(x.begin() + first, x.begin() + last)).unsqueeze(1);
}

/// What queries [first, last) see of keys or of values, the side with bounds `side`.
SeenTokens seen_tokens(const AttentionBounds& bounds, std::vector<int64_t> AttentionBounds::*side,
                       int64_t first, int64_t last, const at::Tensor& like) {
  const std::vector<int64_t>& bound = bounds.*side;
  const int64_t start = bounds.lowest[static_cast<size_t>(first)], end = bounds.first + last;
  const auto [low, high] = std::minmax_element(bound.begin() + first, bound.begin() + last);
  SeenTokens seen{start, std::max(start, *low), std::max(start, *high), end, {}};
  if (seen.low < seen.high)
    seen.mask = (at::arange(seen.low, seen.high) < part_of(bound, first, last)).to(like.device());
  return seen;
}

}  // namespace

at::Tensor SeenTokens::product(const at::Tensor& left, const at::Tensor& quantized_rows,
                               const at::Tensor& exact_rows) const {
  const auto times = [&](const at::Tensor& rows, int64_t from, int64_t to) {
    return at::matmul(left, rows.narrow(0, from, to - from).t());
  };
  if (quantized() == 0) return times(exact_rows, start, end);
  at::Tensor all = left.new_empty({left.size(0), left.size(1), end - start});
  all.narrow(2, 0, quantized()).copy_(times(quantized_rows, start, high));
  if (exact() == 0) return all;
  const at::Tensor right = times(exact_rows, low, end);
  const int64_t band = high - low;
  at::Tensor in_band = all.narrow(2, low - start, band);
  if (band > 0) in_band.copy_(at::where(mask, in_band, right.narrow(2, 0, band)));
  all.narrow(2, quantized(), end - high).copy_(right.narrow(2, band, end - high));
  return all;
}

at::Tensor SeenTokens::part(const at::Tensor& weights, bool of_quantized) const {
  const int64_t band = high - low;
  at::Tensor x =
      of_quantized ? weights.narrow(2, 0, quantized()) : weights.narrow(2, low - start, exact());
  if (band == 0) return x;
  x = x.clone();
  x.narrow(2, of_quantized ? low - start : 0, band)
      .masked_fill_(of_quantized ? mask.logical_not() : mask, 0);
  return x;
}

at::Tensor SeenTokens::gather(const at::Tensor& weights, const at::Tensor& quantized_rows,
                              const at::Tensor& exact_rows) const {
  at::Tensor sum;
  if (quantized() > 0)
    sum = at::matmul(part(weights, true), quantized_rows.narrow(0, start, quantized()));
  if (exact() > 0) {
    const at::Tensor more = at::matmul(part(weights, false), exact_rows.narrow(0, low, exact()));
    sum = sum.defined() ? sum.add_(more) : more;
  }
  return sum;
}

void SeenTokens::scatter(const at::Tensor& weights, const at::Tensor& left,
                         const at::Tensor& quantized_grad, const at::Tensor& exact_grad) const {
  const at::Tensor flat = left.flatten(0, 1);
  const auto add = [&](const at::Tensor& grad, const at::Tensor& w, int64_t from) {
    grad.narrow(0, from, w.size(2)).addmm_(w.flatten(0, 1).t(), flat);
  };
  if (quantized() > 0) add(quantized_grad, part(weights, true), start);
  if (exact() > 0) add(exact_grad, part(weights, false), low);
}

at::Tensor AttentionChunk::weights(const at::Tensor& query, const at::Tensor& key_hat,
                                   const at::Tensor& key) const {
  at::Tensor scores = keys.product(query, key_hat, key);
  scores.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  return at::softmax(scores, -1);
}

std::vector<AttentionChunk> attention_chunks(const AttentionBounds& bounds,
                                             const at::Tensor& like) {
  const auto seq = static_cast<int64_t>(bounds.key.size());
  const int64_t before = bounds.first;
  std::vector<AttentionChunk> chunks;
  for (int64_t first = 0; first < seq; first += kAttentionChunk) {
    const int64_t last = std::min(first + kAttentionChunk, seq);
    const int64_t start = bounds.lowest[static_cast<size_t>(first)];
    const at::Tensor token = at::arange(start, before + last);
    const at::Tensor query = at::arange(before + first, before + last).unsqueeze(1);
    const at::Tensor hidden =
        (token > query).logical_or_(token < part_of(bounds.lowest, first, last));
    chunks.push_back({first, last, seen_tokens(bounds, &AttentionBounds::key, first, last, like),
                      seen_tokens(bounds, &AttentionBounds::value, first, last, like),
                      hidden.to(like.device())});
  }
  return chunks;
}

}  // namespace wkvq
