#include <algorithm>

#include "core/cache/decode_queries.h"
#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"

namespace wkvq {

namespace {

/// What each sequence sees, in order of tokens.
struct Spans {
  std::vector<DeviceSpan> spans;
  std::vector<int64_t> firsts;  // of every sequence, and the end
};

/// Packed keys [from, to) of the sequence of `span`, whose value, if any, is that of token `from`.
void add_packed(Spans& list, const PackedKv& past, DeviceSpan span, int64_t from, int64_t to) {
  const float* const values = span.value;
  for (int64_t t = from / kSpanTokens * kSpanTokens; from < to && t < to; t += kSpanTokens) {
    span.begin = std::max<int64_t>(0, from - t);
    span.end = std::min(kSpanTokens, to - t);
    if (values) span.value = values + (t + span.begin - from) * past.shape().head_dim;
    const unsigned char* const* pages = past.pages(span.batch) + t / kPageTokens;
    std::fill_n(span.pages, kSpanPages, nullptr);
    std::copy(pages, pages + (span.end + kPageTokens - 1) / kPageTokens, span.pages);
    list.spans.push_back(span);
  }
}

/// Packed tokens, then those with a packed key only, whose values stand in front of the last exact
/// tokens.
void add_past(Spans& list, const DecodeContext& context, int64_t batch) {
  const PackedKv& past = context.past;
  const auto at = static_cast<size_t>(batch);
  const int64_t begin = context.past_begin.empty() ? 0 : context.past_begin[at];
  const int64_t whole = past.tokens(batch), keys = past.tokens(batch, true);
  add_packed(list, past, {.batch = batch}, begin, whole);
  const int64_t from = std::max(begin, whole);
  if (from >= keys) return;
  const ExactTokens& exact = context.exact.back();
  const at::Tensor value = exact.value[batch].narrow(1, exact.begin[at] - (keys - from), 1);
  add_packed(
      list, past,
      {.value = value.const_data_ptr<float>(), .capacity = exact.value.size(2), .batch = batch},
      from, keys);
}

/// `steps`: how many of the tokens at the end are the queries' own.
void add_exact(Spans& list, const ExactTokens& tokens, int64_t batch, int64_t steps) {
  const at::Tensor key = tokens.key[batch], value = tokens.value[batch];
  const int64_t end = tokens.end[static_cast<size_t>(batch)];
  for (int64_t t = tokens.begin[static_cast<size_t>(batch)]; t < end; t += kSpanTokens)
    list.spans.push_back({.key = key.const_data_ptr<float>() + t * key.size(2),
                          .value = value.const_data_ptr<float>() + t * key.size(2),
                          .capacity = key.size(1),
                          .batch = batch,
                          .begin = t,
                          .end = std::min(end, t + kSpanTokens),
                          .own = end - steps});
}

Spans list_spans(const DecodeContext& context, int64_t steps) {
  Spans list;
  for (int64_t b = 0; b < context.past.shape().batch; ++b) {
    list.firsts.push_back(static_cast<int64_t>(list.spans.size()));
    add_past(list, context, b);
    for (size_t i = 0; i < context.exact.size(); ++i)
      add_exact(list, context.exact[i], b, i + 1 == context.exact.size() ? steps : 0);
  }
  list.firsts.push_back(static_cast<int64_t>(list.spans.size()));
  return list;
}

}  // namespace

at::Tensor decode_on_device(const at::Tensor& query, const DecodeContext& context) {
  const PackedKv& past = context.past;
  const PackedKv::Shape& shape = past.shape();
  const DeviceStream stream(shape.device);
  const DecodeQueries queries = decode_queries(query, past);
  const Spans list = list_spans(context, queries.steps);
  const at::Tensor spans = stream.copy(list.spans.data(), list.spans.size());
  const at::Tensor firsts = stream.copy(list.firsts.data(), list.firsts.size());
  const auto count = static_cast<int64_t>(list.spans.size());
  const auto empty = [&](std::vector<int64_t> of) {
    return at::empty(of, queries.plain.options());
  };
  at::Tensor top = empty({count, shape.kv_heads, queries.rows}), total = at::empty_like(top);
  at::Tensor sums = empty({count, shape.kv_heads, queries.rows, shape.head_dim});
  at::Tensor packed = empty({shape.batch, shape.kv_heads, queries.rows, shape.head_dim});
  at::Tensor exact = at::empty_like(packed);
  at::Tensor share = empty({shape.batch, shape.kv_heads, queries.rows, 1});
  past.device_kernels()->attend({.key = past.format(true),
                                 .value = past.format(false),
                                 .spans = DeviceStream::items<DeviceSpan>(spans),
                                 .firsts = DeviceStream::items<int64_t>(firsts),
                                 .span_count = count,
                                 .batch = shape.batch,
                                 .kv_heads = shape.kv_heads,
                                 .rows = queries.rows,
                                 .steps = queries.steps,
                                 .plain = queries.plain.const_data_ptr<float>(),
                                 .folded = queries.folded.const_data_ptr<float>(),
                                 .offset = queries.offset.const_data_ptr<float>(),
                                 .top = top.data_ptr<float>(),
                                 .total = total.data_ptr<float>(),
                                 .sums = sums.data_ptr<float>(),
                                 .packed = packed.data_ptr<float>(),
                                 .exact = exact.data_ptr<float>(),
                                 .share = share.data_ptr<float>()},
                                stream.handle());
  return decode_output(packed, exact, share, past, queries.steps);
}

}  // namespace wkvq
