#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "core/cache/decode_attention.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"
#include "experiments/bench/bench.h"
#include "experiments/bench/bench_end_to_end.h"
#include "experiments/bench/bench_operations.h"
#include "experiments/bench/bench_shapes.h"

namespace wkvq {

namespace {

using Makers = std::vector<std::function<BenchCase()>>;

/// Copies that together are larger than any cache of the processor.
int64_t copies_for(double bytes) {
  constexpr double kColdBytes = 160e6;
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(kColdBytes / bytes)));
}

std::vector<at::Tensor> copies(const at::Tensor& x, int64_t count) {
  std::vector<at::Tensor> all;
  for (int64_t i = 0; i < count; ++i) all.push_back(x.clone());
  return all;
}

template <class T>
const T& cycled(const std::vector<T>& all, int64_t round) {
  return all[static_cast<size_t>(round) % all.size()];
}

/// libtorch's attention with one query a head; the heads of a kv head are rows of one product.
Contestant sdpa(const std::string& name, const at::Tensor& query, const at::Tensor& kv) {
  const double bytes = 2.0 * static_cast<double>(kv.nbytes());
  const int64_t count = copies_for(bytes);
  const auto keys = copies(kv, count), values = copies(kv, count);
  const at::Tensor rows =
      query.reshape({query.size(0), kv.size(1), query.size(1) / kv.size(1), query.size(3)})
          .to(kv.scalar_type());
  return {name, bytes, [=](int64_t round) {
            at::scaled_dot_product_attention(rows, cycled(keys, round), cycled(values, round));
          }};
}

BenchCase decode_case(const BenchOptions& options, const ModelConfig& shapes, int64_t context,
                      int64_t batch, int64_t bits) {
  const at::Tensor query = randn(options, {batch, shapes.heads, 1, shapes.head_dim});
  const at::Tensor kv = randn(options, {batch, shapes.kv_heads, context, shapes.head_dim});
  std::vector<std::shared_ptr<PackedKv>> caches;
  double bytes = 1;
  do {
    caches.push_back(std::make_shared<PackedKv>(
        codec_of(options, shapes, bits),
        PackedKv::Shape{batch, shapes.kv_heads, shapes.head_dim, kv.device()}));
    for (int64_t row = 0; row < batch; ++row) caches.back()->append(row, kv[row], kv[row]);
    bytes = static_cast<double>(caches.back()->stored_bytes());
  } while (static_cast<int64_t>(caches.size()) < copies_for(bytes));
  const at::Tensor own = randn(options, {batch, shapes.kv_heads, 1, shapes.head_dim});
  const std::vector<int64_t> zeros(static_cast<size_t>(batch), 0), ones(zeros.size(), 1);
  const auto ours = [=](int64_t round) {
    decode_attention(query, {*cycled(caches, round), {}, {{own, own, zeros, ones}}});
  };
  return {fmt::format("decode {} context {} batch {}", options.model, context, batch),
          {{fmt::format("packed KV{}", bits), bytes, ours},
           sdpa("sdpa float32", query, kv),
           sdpa("sdpa " + half_of(kv).second, query, kv.to(half_of(kv).first))}};
}

BenchCase append_case(const BenchOptions& options, const ModelConfig& shapes, int64_t batch,
                      int64_t bits) {
  const at::Tensor token = randn(options, {batch, shapes.kv_heads, 1, shapes.head_dim});
  const auto cache = std::make_shared<PackedKv>(
      codec_of(options, shapes, bits),
      PackedKv::Shape{batch, shapes.kv_heads, shapes.head_dim, token.device()});
  constexpr int64_t kTokens = 4096;
  const at::Tensor keys =
      at::zeros({batch, shapes.kv_heads, kTokens, shapes.head_dim}, token.options());
  const at::Tensor values = at::zeros_like(keys);
  const double exact = static_cast<double>(token.nbytes()) * 2;
  const double stored =
      static_cast<double>(cache->format(true).page_bytes() + cache->format(false).page_bytes()) /
      kPageTokens * static_cast<double>(shapes.kv_heads * batch);
  const auto ours = [=](int64_t) {
    for (int64_t row = 0; row < batch; ++row) cache->append(row, token[row], token[row]);
  };
  const auto copied = [=](int64_t round) {
    keys.narrow(2, round % kTokens, 1).copy_(token);
    values.narrow(2, round % kTokens, 1).copy_(token);
  };
  const KvCodec codec = cache->codec();
  const auto simulated = [=](int64_t round) {
    keys.narrow(2, round % kTokens, 1).copy_(codec.key.fake(token));
    values.narrow(2, round % kTokens, 1).copy_(codec.value.fake(token));
  };
  return {fmt::format("append {} batch {}", options.model, batch),
          {{fmt::format("packed KV{}", bits), exact + stored, ours},
           {"copy float32", 2 * exact, copied},
           {"simulated float32", 2 * exact, simulated}}};
}

Contestant library_linear(const std::string& name, const at::Tensor& x, const at::Tensor& weight) {
  const auto bytes = static_cast<double>(weight.nbytes());
  const auto weights = copies(weight, copies_for(bytes));
  const at::Tensor rows = x.to(weight.scalar_type());
  return {name, bytes, [=](int64_t round) { at::linear(rows, cycled(weights, round)); }};
}

BenchCase linear_case(const BenchOptions& options, std::pair<int64_t, int64_t> shape, int64_t rows,
                      int64_t bits) {
  const auto [out, in] = shape;
  const at::Tensor weight = randn(options, {out, in}), x = randn(options, {rows, in});
  const QuantSpec spec{
      .bits = bits, .group_size = options.group, .scale_dtype = ScaleDtype::kFloat16};
  std::vector<std::shared_ptr<PackedWeight>> packed;
  double bytes = 1;
  do {
    packed.push_back(std::make_shared<PackedWeight>(weight, spec));
    bytes = static_cast<double>(packed.back()->stored_bytes());
  } while (static_cast<int64_t>(packed.size()) < copies_for(bytes));
  return {fmt::format("linear {} x {} rows {}", out, in, rows),
          {{fmt::format("packed W{}", bits), bytes,
            [=](int64_t round) { cycled(packed, round)->multiply(x); }},
           library_linear("linear float32", x, weight),
           library_linear("linear " + half_of(x).second, x, weight.to(half_of(x).first))}};
}

/// Every shape of a block's linears once.
std::vector<std::pair<int64_t, int64_t>> linears_of(const ModelConfig& s) {
  std::vector<std::pair<int64_t, int64_t>> all{{s.heads * s.head_dim, s.hidden_size}};
  if (s.kv_heads != s.heads) all.emplace_back(s.kv_heads * s.head_dim, s.hidden_size);
  all.emplace_back(s.intermediate_size, s.hidden_size);
  all.emplace_back(s.hidden_size, s.intermediate_size);
  return all;
}

void check_numbers(const BenchOptions& options, const ModelConfig& shapes) {
  const auto positive = [](const char* name, const std::vector<int64_t>& values) {
    for (const int64_t value : values)
      if (value < 1 || value > kMostTokens)
        config_error("bench: --{} {}; expected positive numbers, at most {}", name, value,
                     kMostTokens);
  };
  positive("context", options.contexts);
  positive("batch", options.batches);
  positive("group", {options.group});
  const bool whole = options.what == "end-to-end";
  if (options.layers != 0 && (!whole || options.layers < 1 || options.layers > shapes.layers))
    config_error("bench: --layers {}; expected 1 to {}, with end-to-end only", options.layers,
                 shapes.layers);
  if (whole && options.batches != std::vector<int64_t>{1})
    config_error("bench: --batch is not for end-to-end; it decodes one sequence");
}

}  // namespace

Makers bench_cases(const BenchOptions& options) {
  ModelConfig shapes = bench_shapes(options.model);
  check_numbers(options, shapes);
  if (options.layers > 0) shapes.layers = options.layers;
  Makers makers;
  for (const int64_t bits : options.bits) {
    const bool whole = options.what == "end-to-end";
    if (whole || options.what == "linear" || options.what == "fake-quant")
      check_packable({.bits = bits, .group_size = options.group}, shapes.hidden_size);
    if (whole || (options.what != "linear" && options.what != "fake-quant"))
      check_packable("keys", codec_of(options, shapes, bits).key.options(), shapes.head_dim);
    const auto add = [&](const std::function<BenchCase()>& maker) { makers.push_back(maker); };
    if (options.what == "fake-quant") {
      for (const bool backward : {false, true})
        add([=] { return fake_quant_case(options, linears_of(shapes).front(), bits, backward); });
      continue;
    }
    for (const int64_t batch : options.batches) {
      if (options.what == "linear")
        for (const auto& shape : linears_of(shapes))
          add([=] { return linear_case(options, shape, batch, bits); });
      if (options.what == "append") add([=] { return append_case(options, shapes, batch, bits); });
      for (const int64_t context : options.contexts) {
        if (whole) {
          if (options.device == "cpu")
            require_memory(end_to_end_bytes(shapes, options, context, bits), available_bytes(),
                           shapes);
          add([=] { return end_to_end_case(shapes, options, context, bits); });
        }
        if (options.what == "decode")
          add([=] { return decode_case(options, shapes, context, batch, bits); });
        if (options.what == "attention")
          add([=] { return attention_case(options, shapes, context, batch, bits); });
      }
    }
  }
  if (makers.empty())
    config_error(
        "bench: '{}' is unknown; expected decode, append, linear, attention, fake-quant or "
        "end-to-end",
        options.what);
  return makers;
}

}  // namespace wkvq
