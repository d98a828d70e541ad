#include "core/masked_attention.h"

#include <cmath>

#include "core/chunked_attention.h"
#include "core/kernels/attention_rows.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

/// Of every query: one past the last token it sees quantized, and the first token it sees at all.
struct Bounds {
  std::vector<int64_t> key, value, lowest;
};

Bounds bounds_of(const KvViewOptions& view, int64_t seq, int64_t sliding_window) {
  const KvMask keys(view, true), values(view, false);
  Bounds bounds;
  for (int64_t t = 0; t < seq; ++t) {
    const auto bound = [&](const KvMask& mask) {
      return t < mask.prefill() ? 0 : std::clamp<int64_t>(mask.bound(t), 0, t + 1);
    };
    bounds.key.push_back(bound(keys));
    bounds.value.push_back(bound(values));
    bounds.lowest.push_back(sliding_window == 0 ? 0 : std::max<int64_t>(0, t - sliding_window + 1));
  }
  return bounds;
}

/// The quantized copy with the sinks in full precision.
at::Tensor with_sinks(const at::Tensor& exact, const at::Tensor& quantized, int64_t sinks) {
  if (sinks == 0 || !quantized.defined()) return quantized;
  at::Tensor mixed = quantized.clone();
  const int64_t n = std::min(sinks, exact.size(2));
  mixed.narrow(2, 0, n).copy_(exact.narrow(2, 0, n));
  return mixed;
}

template <class T>
using Kernel = void (*)(const AttentionProblem<T>&);

template <class T>
Kernel<T> best_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return attention_rows_avx512<T>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return attention_rows_avx2<T>;
#endif
  return attention_rows_generic<T>;
}

/// The rows of head `head` of sequence `batch` of x [batch, heads, seq, dim].
template <class T>
Rows<const T> rows_of(const at::Tensor& x, int64_t batch, int64_t head) {
  if (!x.defined()) return {};
  return {x.const_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1), x.stride(2)};
}

template <class T>
void attend(const at::Tensor& query, const KvPair& kv, const Bounds& bounds, at::Tensor& out) {
  static const Kernel<T> kernel = best_kernel<T>();
  const int64_t kv_heads = kv.key.size(1), repeat = query.size(1) / kv_heads;
  // Whole heads a thread: they share nothing, so the sums do not depend on the number of threads.
  at::parallel_for(0, query.size(0) * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<Rows<const T>> queries(static_cast<size_t>(repeat));
    std::vector<Rows<T>> outs(static_cast<size_t>(repeat));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t batch = i / kv_heads, head = i % kv_heads;
      for (int64_t j = 0; j < repeat; ++j) {
        const auto index = static_cast<size_t>(j);
        queries[index] = rows_of<T>(query, batch, head * repeat + j);
        const Rows<const T> rows = rows_of<T>(out, batch, head * repeat + j);
        outs[index] = {const_cast<T*>(rows.data), rows.stride};
      }
      kernel({.seq = query.size(2),
              .dim = query.size(3),
              .repeat = repeat,
              .query = queries.data(),
              .out = outs.data(),
              .key = rows_of<T>(kv.key, batch, head),
              .value = rows_of<T>(kv.value, batch, head),
              .key_hat = rows_of<T>(kv.key_hat, batch, head),
              .value_hat = rows_of<T>(kv.value_hat, batch, head),
              .key_bound = bounds.key.data(),
              .value_bound = bounds.value.data(),
              .lowest = bounds.lowest.data(),
              .scale = static_cast<T>(1 / std::sqrt(static_cast<double>(query.size(3))))});
    }
  });
}

}  // namespace

at::Tensor masked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                            int64_t sliding_window) {
  TORCH_CHECK(query.dim() == 4 && kv.key.dim() == 4 && query.size(1) % kv.key.size(1) == 0,
              "attention: got query ", query.sizes(), " and key ", kv.key.sizes(),
              "; expected [batch, heads, seq, head_dim] and heads a multiple of kv_heads");
  const at::ScalarType compute = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::NoGradGuard no_grad;
  const auto prepare = [&](const at::Tensor& x) {
    if (!x.defined()) return x;
    const at::Tensor y = x.to(compute);
    return y.stride(3) == 1 ? y : y.contiguous();
  };
  KvPair ready{prepare(kv.key), prepare(kv.value), prepare(kv.key_hat), prepare(kv.value_hat)};
  if (!query.is_cpu())
    return chunked_attention(query.to(compute), ready, view, sliding_window)
        .to(query.scalar_type());
  const int64_t sinks = KvMask(view, true).sinks();
  ready.key_hat = with_sinks(ready.key, ready.key_hat, sinks);
  ready.value_hat = with_sinks(ready.value, ready.value_hat, sinks);
  const Bounds bounds = bounds_of(view, query.size(2), sliding_window);
  const at::Tensor queries = prepare(query);
  // In the layout that the output projection reads.
  at::Tensor out =
      at::empty({query.size(0), query.size(2), query.size(1), query.size(3)}, queries.options())
          .transpose(1, 2);
  if (compute == at::kDouble) {
    attend<double>(queries, ready, bounds, out);
  } else {
    attend<float>(queries, ready, bounds, out);
  }
  return out.to(query.scalar_type());
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
