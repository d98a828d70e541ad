#include "core/attention/masked_attention.h"

#include "core/attention/attention_backward.h"
#include "core/attention/attention_bounds.h"
#include "core/attention/attention_problem.h"
#include "core/attention/chunked_attention.h"
#include "core/attention/device_attention.h"
#include "core/device/autograd_operands.h"
#include "core/device/device_stream.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// The quantized copy with the sinks in full precision.
at::Tensor with_sinks(const at::Tensor& exact, const at::Tensor& quantized, int64_t sinks) {
  if (sinks == 0 || !quantized.defined()) return quantized;
  const int64_t n = std::min(sinks, exact.size(2));
  return at::cat({exact.narrow(2, 0, n), quantized.narrow(2, n, exact.size(2) - n)}, 2);
}

template <class T>
void attend(const at::Tensor& query, const KvPair& kv, const AttentionBounds& bounds,
            at::Tensor& out) {
  static const auto kernel = attention_kernels<T>().forward;
  for_each_kv_head(query, kv, [&](const KvHead& head) {
    const std::vector<Rows<const T>> queries = head.const_queries<T>(query);
    const std::vector<Rows<T>> outs = head.queries<T>(out);
    AttentionProblem<T> problem = problem_of<T>(head, query, kv, bounds);
    problem.query = queries.data();
    problem.out = outs.data();
    kernel(problem);
  });
}

/// Rows without gaps; float32 or float64, or as they are.
at::Tensor prepared(const at::Tensor& x, bool as_is) {
  if (!x.defined()) return x;
  const at::Tensor y = as_is ? x : widened(x);
  return y.stride(3) == 1 ? y : y.contiguous();
}

/// Whether a device takes operands of this type as they are.
bool taken_as_is(const at::Tensor& query, const KvPair& kv) {
  const auto fits = [&](const at::Tensor& x) {
    return !x.defined() || x.scalar_type() == query.scalar_type();
  };
  return !query.is_cpu() && has_device_attention(query) && fits(kv.key) && fits(kv.value) &&
         fits(kv.key_hat) && fits(kv.value_hat);
}

/// masked_attention of prepared operands, sinks already mixed into the copies; no gradient.
at::Tensor forward(const at::Tensor& query, const KvPair& kv, const AttentionBounds& bounds) {
  // In the layout that the output projection reads.
  at::Tensor out =
      at::empty({query.size(0), query.size(2), query.size(1), query.size(3)}, query.options())
          .transpose(1, 2);
  with_dtype(query, [&](auto zero) { attend<decltype(zero)>(query, kv, bounds, out); });
  return out;
}

struct MaskedAttention : torch::autograd::Function<MaskedAttention> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& key, const at::Tensor& value,
                            const at::Tensor& key_hat, const at::Tensor& value_hat,
                            const AttentionBounds& bounds,
                            const std::function<at::Tensor()>& compute) {
    const at::Tensor out = compute();
    context->save_for_backward({query, key, value, key_hat, value_hat, out});
    context->saved_data["key"] = bounds.key;
    context->saved_data["value"] = bounds.value;
    context->saved_data["lowest"] = bounds.lowest;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const auto numbers = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const AttentionGradients g = attention_backward(
        grads[0],
        {saved[0], saved[5], {saved[1], saved[2], or_undefined(saved[3]), or_undefined(saved[4])}},
        {numbers("key"), numbers("value"), numbers("lowest")});
    return {g.query,        g.kv.key,     g.kv.value,  g.kv.key_hat,
            g.kv.value_hat, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor masked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                            int64_t sliding_window) {
  TORCH_CHECK(query.dim() == 4 && kv.key.dim() == 4 && query.size(1) % kv.key.size(1) == 0 &&
                  query.size(2) <= kv.key.size(2),
              "attention: got query ", query.sizes(), " and key ", kv.key.sizes(),
              "; expected [batch, heads, seq, head_dim], heads a multiple of kv_heads, and no more "
              "queries than keys");
  const auto tracks = [](const at::Tensor& x) { return x.defined() && x.requires_grad(); };
  const bool tracked =
      at::GradMode::is_enabled() && (tracks(query) || tracks(kv.key) || tracks(kv.value) ||
                                     tracks(kv.key_hat) || tracks(kv.value_hat));
  // Gradients are taken in float32 at least, of the forward pass in it.
  const auto of = [as_is = !tracked && taken_as_is(query, kv)](const at::Tensor& x) {
    return prepared(x, as_is);
  };
  const at::Tensor queries = of(query);
  KvPair ready{of(kv.key), of(kv.value), of(kv.key_hat), of(kv.value_hat)};
  const int64_t sinks = KvMask(view, true).sinks();
  ready.key_hat = with_sinks(ready.key, ready.key_hat, sinks);
  ready.value_hat = with_sinks(ready.value, ready.value_hat, sinks);
  const int64_t keys = kv.key.size(2);
  const AttentionBounds bounds = attention_bounds(view, keys - query.size(2), keys, sliding_window);
  const std::function<at::Tensor()> compute = [&] {
    if (query.is_cpu()) return forward(queries, ready, bounds);
    return has_device_attention(queries)
               ? attention_on_device(queries, ready, bounds, *kernels_of(query.device(), nullptr))
               : chunked_attention(queries, ready, bounds);
  };
  if (tracked) {
    TORCH_CHECK(bounds.first == 0, "attention: gradients need a query for every key");
    return MaskedAttention::apply(queries, ready.key, ready.value, or_empty(ready.key_hat, queries),
                                  or_empty(ready.value_hat, queries), bounds, compute)
        .to(query.scalar_type());
  }
  return compute().to(query.scalar_type());
}

at::Tensor full_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          int64_t sliding_window) {
  return masked_attention(query, {key, value, {}, {}}, {.mode = ViewMode::kNone}, sliding_window);
}

at::Tensor plain_attention(const AttentionInputs& inputs) {
  return full_attention(inputs.query, inputs.key, inputs.value, inputs.sliding_window);
}

at::Tensor quantized_key(const AttentionInputs& inputs, const KvTensorCodec& codec) {
  if (!codec.before_rope()) return codec.fake(inputs.key);
  TORCH_CHECK(inputs.rope, "attention: keys quantized before RoPE without it");
  return inputs.rope->apply(codec.fake(inputs.key_before_rope), inputs.positions);
}

at::Tensor quantized_attention(const AttentionInputs& inputs, const KvCodec& codec,
                               const KvViewOptions& view) {
  if (codec.identity() || view.mode == ViewMode::kNone) return plain_attention(inputs);
  const KvPair kv{inputs.key, inputs.value, quantized_key(inputs, codec.key),
                  codec.value.fake(inputs.value)};
  return masked_attention(inputs.query, kv, view, inputs.sliding_window);
}

}  // namespace wkvq
