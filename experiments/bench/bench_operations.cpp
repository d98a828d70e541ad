#include "experiments/bench/bench_operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "experiments/session/session.h"

namespace wkvq {

namespace {

/// libtorch's causal attention in one dtype.
Contestant causal_sdpa(const at::Tensor& query, const at::Tensor& kv, at::ScalarType dtype,
                       const std::string& name) {
  const at::Tensor q = query.to(dtype), k = kv.to(dtype);
  return {"sdpa " + name, static_cast<double>(2 * (q.nbytes() + k.nbytes())),
          [=](int64_t) { at::scaled_dot_product_attention(q, k, k, {}, 0.0, true); }};
}

/// Ours, under the view of the last tokens exact, in one dtype.
Contestant past_attention(const at::Tensor& query, const at::Tensor& kv, const at::Tensor& hat,
                          at::ScalarType dtype, const std::string& name) {
  const at::Tensor q = query.to(dtype), k = kv.to(dtype), h = hat.to(dtype);
  return {name, static_cast<double>(2 * q.nbytes() + 4 * k.nbytes()), [=](int64_t) {
            masked_attention(q, {k, k, h, h}, {}, 0);
          }};
}

/// Form B in single tensor operations, differentiable: rounding passes the gradient.
at::Tensor composite(const at::Tensor& x, int64_t bits, int64_t group) {
  const at::Tensor groups = x.view({-1, group});
  const at::Tensor low = groups.amin(1, true), high = groups.amax(1, true);
  const double top = static_cast<double>((int64_t{1} << bits) - 1);
  const at::Tensor scale = (high - low) / top, position = (groups - low) / scale;
  const at::Tensor code = (position + (position.round() - position).detach()).clamp(0, top);
  return (code * scale + low).view(x.sizes());
}

}  // namespace

at::Tensor randn(const BenchOptions& options, at::IntArrayRef shape) {
  return at::randn(shape, at::device(torch_device(options.device)));
}

std::pair<at::ScalarType, std::string> half_of(const at::Tensor& x) {
  return x.is_cpu() ? std::pair{at::kBFloat16, std::string("bfloat16")}
                    : std::pair{at::kHalf, std::string("float16")};
}

KvCodec codec_of(const BenchOptions& options, const ModelConfig& shapes, int64_t bits) {
  KvTensorOptions kv{.bits = bits,
                     .group_size = std::min(options.group, shapes.head_dim),
                     .scale_dtype = ScaleDtype::kFloat16};
  kv.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
  ChannelRange range;
  range.add(randn(options, {1, shapes.kv_heads, 64, shapes.head_dim}));
  return {{kv, range}, {kv, range}};
}

BenchCase attention_case(const BenchOptions& options, const ModelConfig& shapes, int64_t context,
                         int64_t batch, int64_t bits) {
  const at::Tensor query = randn(options, {batch, shapes.heads, context, shapes.head_dim});
  const at::Tensor kv = randn(options, {batch, shapes.kv_heads, context, shapes.head_dim});
  const at::Tensor hat = codec_of(options, shapes, bits).key.fake(kv);
  const at::Tensor repeated = kv.repeat_interleave(shapes.heads / shapes.kv_heads, 1);
  const auto [half, half_name] = half_of(kv);
  std::vector<Contestant> contestants{past_attention(query, kv, hat, at::kFloat, "past"),
                                      causal_sdpa(query, repeated, at::kFloat, "float32"),
                                      causal_sdpa(query, repeated, half, half_name)};
  // On the CPU our attention of half types is that of float32.
  if (!query.is_cpu())
    contestants.push_back(past_attention(query, kv, hat, half, "past " + half_name));
  return {fmt::format("attention {} context {} batch {}", options.model, context, batch),
          contestants};
}

BenchCase fake_quant_case(const BenchOptions& options, std::pair<int64_t, int64_t> shape,
                          int64_t bits, bool backward) {
  const at::Tensor x = randn(options, {shape.first, shape.second}).set_requires_grad(backward);
  const at::Tensor grad = at::ones_like(x);
  const QuantSpec spec{.bits = bits,
                       .group_size = options.group,
                       .form = QuantForm::kMinimum,
                       .range = QuantRange::kRaw};
  const auto run = [=](const std::function<at::Tensor()>& forward) {
    return [=](int64_t) {
      const at::Tensor y = forward();
      if (backward) torch::autograd::grad({y}, {x}, {grad});
    };
  };
  const double bytes = static_cast<double>(x.nbytes()) * (backward ? 5 : 2);
  const int64_t group = options.group;
  return {fmt::format("fake-quant {} x {} {}", shape.first, shape.second,
                      backward ? "forward and backward" : "forward"),
          {{fmt::format("fused {} bits", bits), bytes, run([=] { return fake_quantize(x, spec); })},
           {"tensor operations", bytes, run([=] { return composite(x, bits, group); })}}};
}

}  // namespace wkvq
