#include "core/masked_attention.h"

#include <limits>

#include "core/torch_headers.h"

namespace wkvq {

namespace {

// Queries a chunk: large enough for efficient matrix products, small enough that the part of a band
// computed twice is small.
constexpr int64_t kChunk = 64;

/// Columns of one chunk of queries [first, last): below `certain` all true (sinks apart), from
/// `possible` on all false.
struct Band {
  int64_t certain;
  int64_t possible;
};

Band band_of(const KvMask& mask, int64_t first, int64_t last) {
  if (first < mask.prefill()) return {0, 0};
  return {mask.bound(first), mask.bound(last - 1)};
}

/// True where quantized, [last - first, possible - certain], for the columns of the band.
at::Tensor band_mask(const KvMask& mask, const Band& band, int64_t first, int64_t last) {
  at::Tensor out = at::empty({last - first, band.possible - band.certain}, at::kBool);
  bool* data = out.mutable_data_ptr<bool>();
  for (int64_t t = first; t < last; ++t)
    for (int64_t s = band.certain; s < band.possible; ++s) *data++ = mask.quantized(t, s);
  return out;
}

/// The quantized copy with the sinks' columns in full precision.
at::Tensor with_sinks(const at::Tensor& exact, const at::Tensor& quantized, int64_t sinks) {
  if (sinks == 0 || !quantized.defined()) return quantized;
  at::Tensor mixed = quantized.clone();
  const int64_t n = std::min(sinks, exact.size(2));
  mixed.narrow(2, 0, n).copy_(exact.narrow(2, 0, n));
  return mixed;
}

struct Inputs {
  at::Tensor query;  // [batch, kv_heads, repeat, seq, head_dim], scaled
  at::Tensor key, value, key_hat, value_hat;
  KvMask key_mask, value_mask;
  int64_t sliding_window;
};

/// `x` [.., repeat, rows, inner] times `y` [.., inner, columns], shared by the repeated heads.
at::Tensor grouped_matmul(const at::Tensor& x, const at::Tensor& y) {
  const auto sizes = x.sizes();
  return at::matmul(x.reshape({sizes[0], sizes[1], sizes[2] * sizes[3], sizes[4]}), y)
      .view({sizes[0], sizes[1], sizes[2], sizes[3], y.size(-1)});
}

at::Tensor chunk_scores(const Inputs& in, const at::Tensor& query, int64_t first, int64_t last) {
  const Band band = band_of(in.key_mask, first, last);
  const auto product = [&](const at::Tensor& keys, int64_t begin, int64_t end) {
    return grouped_matmul(query, keys.narrow(2, begin, end - begin).transpose(-1, -2));
  };
  if (band.possible == 0) return product(in.key, 0, last);
  if (band.certain == last) return product(in.key_hat, 0, last);
  at::Tensor exact = product(in.key, band.certain, last);
  if (band.possible > band.certain) {
    const int64_t width = band.possible - band.certain;
    const at::Tensor mask = band_mask(in.key_mask, band, first, last).to(query.device());
    at::Tensor mixed = exact.narrow(-1, 0, width);
    mixed.copy_(at::where(mask, product(in.key_hat, band.certain, band.possible), mixed));
  }
  if (band.certain == 0) return exact;
  return at::cat({product(in.key_hat, 0, band.certain), exact}, -1);
}

void mask_future(at::Tensor& scores, int64_t first, int64_t last, int64_t sliding_window) {
  const double minus_infinity = -std::numeric_limits<double>::infinity();
  const auto options = scores.options().dtype(at::kBool);
  const at::Tensor future = at::ones({last - first, last - first}, options).triu(1);
  scores.narrow(-1, first, last - first).masked_fill_(future, minus_infinity);
  if (sliding_window == 0 || last <= sliding_window) return;
  const at::Tensor rows = at::arange(first, last, options.dtype(at::kLong)).unsqueeze(1);
  const at::Tensor columns = at::arange(last, options.dtype(at::kLong));
  scores.masked_fill_(columns <= rows - sliding_window, minus_infinity);
}

at::Tensor chunk_output(const Inputs& in, const at::Tensor& weights, int64_t first, int64_t last) {
  const Band band = band_of(in.value_mask, first, last);
  const auto product = [&](const at::Tensor& w, const at::Tensor& values, int64_t begin) {
    return grouped_matmul(w, values.narrow(2, begin, w.size(-1)));
  };
  if (band.possible == 0) return product(weights, in.value, 0);
  if (band.certain == last) return product(weights, in.value_hat, 0);
  at::Tensor exact = weights.narrow(-1, band.certain, last - band.certain);
  at::Tensor out;
  if (band.possible > band.certain) {
    const int64_t width = band.possible - band.certain;
    const at::Tensor mask = band_mask(in.value_mask, band, first, last).to(weights.device());
    const at::Tensor mixed = exact.narrow(-1, 0, width);
    out = product(mixed * mask, in.value_hat, band.certain);
    exact =
        at::cat({mixed * mask.logical_not(), exact.narrow(-1, width, exact.size(-1) - width)}, -1);
  }
  const at::Tensor from_exact = product(exact, in.value, band.certain);
  out = out.defined() ? out + from_exact : from_exact;
  if (band.certain == 0) return out;
  return out + product(weights.narrow(-1, 0, band.certain), in.value_hat, 0);
}

at::Tensor attend(const Inputs& in, at::ScalarType dtype) {
  const int64_t seq = in.query.size(3);
  const int64_t prefill = std::min(seq, in.key_mask.prefill());
  std::vector<at::Tensor> outputs;
  for (int64_t first = 0; first < seq;) {
    // No chunk spans the end of the prefill: its queries see everything in full precision.
    const int64_t stop = first < prefill ? prefill : seq;
    const int64_t last = std::min(first + kChunk, stop);
    const at::Tensor query = in.query.narrow(3, first, last - first);
    at::Tensor scores = chunk_scores(in, query, first, last);
    mask_future(scores, first, last, in.sliding_window);
    outputs.push_back(chunk_output(in, at::softmax(scores, -1), first, last));
    first = last;
  }
  return at::cat(outputs, 3).flatten(1, 2).to(dtype);
}

}  // namespace

at::Tensor masked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                            int64_t sliding_window) {
  TORCH_CHECK(query.dim() == 4 && kv.key.dim() == 4 && query.size(1) % kv.key.size(1) == 0,
              "attention: got query ", query.sizes(), " and key ", kv.key.sizes(),
              "; expected [batch, heads, seq, head_dim] and heads a multiple of kv_heads");
  const at::ScalarType compute = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto prepare = [&](const at::Tensor& x) { return x.defined() ? x.to(compute) : x; };
  const KvMask key_mask(view, true), value_mask(view, false);
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
  const int64_t kv_heads = kv.key.size(1);
  Inputs in{(prepare(query) * scale).unflatten(1, {kv_heads, query.size(1) / kv_heads}),
            prepare(kv.key),
            prepare(kv.value),
            with_sinks(prepare(kv.key), prepare(kv.key_hat), key_mask.sinks()),
            with_sinks(prepare(kv.value), prepare(kv.value_hat), value_mask.sinks()),
            key_mask,
            value_mask,
            sliding_window};
  return attend(in, query.scalar_type());
}

at::Tensor full_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          int64_t sliding_window) {
  return masked_attention(query, {key, value, {}, {}}, {.mode = ViewMode::kNone}, sliding_window);
}

at::Tensor quantized_attention(const at::Tensor& query, const at::Tensor& key,
                               const at::Tensor& value, const KvCodec& codec,
                               const KvViewOptions& view, int64_t sliding_window) {
  if (codec.identity() || view.mode == ViewMode::kNone)
    return full_attention(query, key, value, sliding_window);
  const KvPair kv{key, value, codec.key.fake(key), codec.value.fake(value)};
  return masked_attention(query, kv, view, sliding_window);
}

}  // namespace wkvq
