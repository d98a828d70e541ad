#include "core/chunked_attention.h"

#include <limits>

#include "core/torch_headers.h"

namespace wkvq {

namespace {

// Queries a chunk: large enough for efficient matrix products, small enough that the part of a band
// computed twice is small.
constexpr int64_t kChunk = 128;

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

/// What all heads share of one chunk of queries [first, last).
struct Chunk {
  int64_t first, last;
  bool own_token_only;  // plain `past`: a query sees nothing but its own token in full precision
  Band key_band, value_band;
  at::Tensor key_mask, value_mask;  // of the bands; the values' as 0 and 1 in the compute dtype
  at::Tensor blocked;               // true where a query must not look, [last - first, last - from]
  int64_t blocked_from;             // first column of `blocked`
};

/// One kv head of one sequence.
struct Head {
  at::Tensor query;                           // [repeat, seq, head_dim], scaled
  at::Tensor key, value, key_hat, value_hat;  // [seq, head_dim]
};

/// `x` [repeat, rows, inner] times `y` [inner, columns].
at::Tensor times(const at::Tensor& x, const at::Tensor& y) {
  const auto sizes = x.sizes();
  return at::mm(x.reshape({sizes[0] * sizes[1], sizes[2]}), y)
      .view({sizes[0], sizes[1], y.size(-1)});
}

/// True where query t must not see token s: the future, and what a sliding window has left behind.
at::Tensor blocked_columns(int64_t first, int64_t last, int64_t from, int64_t sliding_window) {
  const at::Tensor rows = at::arange(first, last, at::kLong).unsqueeze(1);
  const at::Tensor columns = at::arange(from, last, at::kLong);
  const at::Tensor future = columns > rows;
  return sliding_window == 0 ? future : future.logical_or_(columns <= rows - sliding_window);
}

Chunk make_chunk(const KvMask& key_mask, const KvMask& value_mask, int64_t sliding_window,
                 std::pair<int64_t, int64_t> range, const at::TensorOptions& options) {
  const auto [first, last] = range;
  const bool own_token_only = key_mask.own_token_only() && first >= key_mask.prefill();
  Chunk chunk{first,
              last,
              own_token_only,
              band_of(key_mask, first, last),
              band_of(value_mask, first, last),
              {},
              {},
              {},
              0};
  const auto mask = [&](const KvMask& view, const Band& band) {
    return band.possible > band.certain ? band_mask(view, band, first, last).to(options.device())
                                        : at::Tensor();
  };
  if (!own_token_only) {
    chunk.key_mask = mask(key_mask, chunk.key_band);
    chunk.value_mask = mask(value_mask, chunk.value_band);
  }
  if (chunk.value_mask.defined()) chunk.value_mask = chunk.value_mask.to(options);
  chunk.blocked_from = sliding_window == 0 || last <= sliding_window ? first : 0;
  chunk.blocked =
      blocked_columns(first, last, chunk.blocked_from, sliding_window).to(options.device());
  return chunk;
}

std::vector<Chunk> make_chunks(const KvMask& key_mask, const KvMask& value_mask,
                               int64_t sliding_window, int64_t seq,
                               const at::TensorOptions& options) {
  const int64_t prefill = std::min(seq, key_mask.prefill());
  std::vector<Chunk> chunks;
  for (int64_t first = 0; first < seq;) {
    // No chunk spans the end of the prefill: its queries see everything in full precision.
    const int64_t last = std::min(first + kChunk, first < prefill ? prefill : seq);
    chunks.push_back(make_chunk(key_mask, value_mask, sliding_window, {first, last}, options));
    first = last;
  }
  return chunks;
}

at::Tensor chunk_scores(const Head& head, const at::Tensor& query, const Chunk& chunk) {
  const Band& band = chunk.key_band;
  const int64_t last = chunk.last;
  const auto product = [&](const at::Tensor& keys, int64_t begin, int64_t end) {
    return times(query, keys.narrow(0, begin, end - begin).t());
  };
  if (chunk.own_token_only) {
    at::Tensor scores = product(head.key_hat, 0, last);
    const int64_t n = last - chunk.first;
    scores.narrow(-1, chunk.first, n)
        .diagonal(0, -2, -1)
        .copy_((query * head.key.narrow(0, chunk.first, n)).sum(-1));
    return scores;
  }
  if (band.possible == 0) return product(head.key, 0, last);
  if (band.certain == last) return product(head.key_hat, 0, last);
  at::Tensor exact = product(head.key, band.certain, last);
  if (band.possible > band.certain) {
    at::Tensor mixed = exact.narrow(-1, 0, band.possible - band.certain);
    const at::Tensor quantized = product(head.key_hat, band.certain, band.possible);
    // The mask holds 0 and 1 only, so this selects without rounding where it is 0 and by one
    // subtraction where it is 1.
    mixed.copy_(at::where(chunk.key_mask, quantized, mixed));
  }
  if (band.certain == 0) return exact;
  return at::cat({product(head.key_hat, 0, band.certain), exact}, -1);
}

at::Tensor chunk_output(const Head& head, const at::Tensor& weights, const Chunk& chunk) {
  const Band& band = chunk.value_band;
  const int64_t last = chunk.last;
  const auto product = [&](const at::Tensor& w, const at::Tensor& values, int64_t begin) {
    return times(w, values.narrow(0, begin, w.size(-1)));
  };
  if (chunk.own_token_only) {
    const int64_t n = last - chunk.first;
    const at::Tensor own = weights.narrow(-1, chunk.first, n).diagonal(0, -2, -1).unsqueeze(-1);
    const at::Tensor difference =
        head.value.narrow(0, chunk.first, n) - head.value_hat.narrow(0, chunk.first, n);
    return product(weights, head.value_hat, 0).addcmul_(own, difference);
  }
  if (band.possible == 0) return product(weights, head.value, 0);
  if (band.certain == last) return product(weights, head.value_hat, 0);
  at::Tensor exact = weights.narrow(-1, band.certain, last - band.certain);
  at::Tensor out;
  if (band.possible > band.certain) {
    at::Tensor mixed = exact.narrow(-1, 0, band.possible - band.certain);
    const at::Tensor seen_quantized = mixed * chunk.value_mask;
    out = product(seen_quantized, head.value_hat, band.certain);
    mixed.sub_(seen_quantized);  // weights of what is seen exactly: w or 0
  }
  const at::Tensor from_exact = product(exact, head.value, band.certain);
  out = out.defined() ? out.add_(from_exact) : from_exact;
  if (band.certain == 0) return out;
  return out.add_(product(weights.narrow(-1, 0, band.certain), head.value_hat, 0));
}

/// Attention of one kv head into `out` [repeat, seq, head_dim].
void attend_head(const Head& head, const std::vector<Chunk>& chunks, const at::Tensor& out) {
  for (const Chunk& chunk : chunks) {
    const int64_t n = chunk.last - chunk.first;
    const at::Tensor query = head.query.narrow(1, chunk.first, n);
    at::Tensor scores = chunk_scores(head, query, chunk);
    scores.narrow(-1, chunk.blocked_from, chunk.last - chunk.blocked_from)
        .masked_fill_(chunk.blocked, -std::numeric_limits<double>::infinity());
    out.narrow(1, chunk.first, n).copy_(chunk_output(head, at::softmax(scores, -1), chunk));
  }
}

}  // namespace

at::Tensor chunked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                             int64_t sliding_window) {
  const KvMask key_mask(view, true), value_mask(view, false);
  const int64_t batch = query.size(0), kv_heads = kv.key.size(1), seq = query.size(2);
  const at::Tensor queries = (query * (1.0 / std::sqrt(static_cast<double>(query.size(3)))))
                                 .unflatten(1, {kv_heads, query.size(1) / kv_heads});
  const auto chunks = make_chunks(key_mask, value_mask, sliding_window, seq, query.options());
  const at::Tensor out = at::empty_like(queries, at::MemoryFormat::Contiguous);
  for (int64_t i = 0; i < batch * kv_heads; ++i) {
    const auto of = [&](const at::Tensor& x) {
      return x.defined() ? x[i / kv_heads][i % kv_heads] : x;
    };
    attend_head({of(queries), of(kv.key), of(kv.value), of(kv.key_hat), of(kv.value_hat)}, chunks,
                of(out));
  }
  return out.flatten(1, 2);
}

}  // namespace wkvq
