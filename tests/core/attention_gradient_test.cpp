#include "core/attention/attention_backward.h"
#include "core/attention/chunked_attention.h"
#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const std::vector<KvViewOptions>& views() {
  static const std::vector<KvViewOptions> all{{.mode = ViewMode::kNone},
                                              {.mode = ViewMode::kAll},
                                              {.mode = ViewMode::kPast},
                                              {.mode = ViewMode::kPast, .window = 7, .sinks = 3},
                                              {.mode = ViewMode::kPast, .prefill = 33},
                                              {.mode = ViewMode::kKivi, .window = 8}};
  return all;
}

struct Operands {
  at::Tensor query;
  KvPair kv;

  std::vector<at::Tensor> all() const {
    return {query, kv.key, kv.value, kv.key_hat, kv.value_hat};
  }
};

/// 150 tokens: more than one chunk of queries; 4 query heads over 2 kv heads, 2 sequences.
Operands random_operands(int64_t seed) {
  at::manual_seed(static_cast<uint64_t>(seed));
  const auto random = [](int64_t heads) {
    return at::randn({2, heads, 150, 5}, at::kDouble).requires_grad_();
  };
  return {random(4), {random(2), random(2), random(2), random(2)}};
}

Operands copy_of(const Operands& x) {
  const auto leaf = [](const at::Tensor& y) { return y.detach().clone().requires_grad_(); };
  return {leaf(x.query),
          {leaf(x.kv.key), leaf(x.kv.value), leaf(x.kv.key_hat), leaf(x.kv.value_hat)}};
}

/// The definition with its mask as a [seq, seq] tensor.
at::Tensor by_definition(const Operands& x, const KvViewOptions& view, int64_t sliding_window) {
  const int64_t seq = x.query.size(2), repeat = x.query.size(1) / x.kv.key.size(1);
  const auto mask = [&](bool is_key) {
    const KvMask rule(view, is_key);
    at::Tensor m = at::zeros({seq, seq}, at::kBool);
    for (int64_t t = 0; t < seq; ++t)
      for (int64_t s = 0; s <= t; ++s) m[t][s] = rule.quantized(t, s);
    return m;
  };
  const at::Tensor t = at::arange(seq).unsqueeze(1), s = at::arange(seq);
  at::Tensor hidden = s > t;
  if (sliding_window > 0) hidden = hidden | (s <= t - sliding_window);
  const auto wide = [&](const at::Tensor& y) { return y.repeat_interleave(repeat, 1); };
  const auto scores = [&](const at::Tensor& keys) {
    return at::matmul(x.query, wide(keys).transpose(2, 3)) / std::sqrt(5.0);
  };
  const at::Tensor weights =
      at::softmax(at::where(mask(true), scores(x.kv.key_hat), scores(x.kv.key))
                      .masked_fill(hidden, -std::numeric_limits<double>::infinity()),
                  -1);
  const at::Tensor quantized = mask(false).to(at::kDouble);
  return at::matmul(weights * quantized, wide(x.kv.value_hat)) +
         at::matmul(weights * (1 - quantized), wide(x.kv.value));
}

}  // namespace

TEST_CASE("attention: gradients of every operand equal the definition's, every view") {
  const Operands original = random_operands(21);
  const at::Tensor slope = at::randn({2, 4, 150, 5}, at::kDouble);
  for (const KvViewOptions& view : views()) {
    for (const int64_t sliding : {0, 20}) {
      const Operands ours = copy_of(original), plain = copy_of(original);
      const at::Tensor out = masked_attention(ours.query, ours.kv, view, sliding);
      const at::Tensor expected = by_definition(plain, view, sliding);
      INFO(view.name() << ", sliding window " << sliding);
      // The bound of equal views in float64.
      REQUIRE((out - expected).abs().max().item<double>() < 1e-9);
      (out * slope).sum().backward();
      (expected * slope).sum().backward();
      for (size_t i = 0; i < ours.all().size(); ++i) {
        INFO("operand " << i << " of query, key, value, key_hat, value_hat");
        const at::Tensor grad = plain.all()[i].grad(), got = ours.all()[i].grad();
        REQUIRE((got - grad).abs().max().item<double>() < 1e-9);
      }
    }
  }
}

TEST_CASE("attention: full precision is differentiable without quantized copies") {
  const Operands ours = random_operands(25), plain = copy_of(ours);
  full_attention(ours.query, ours.kv.key, ours.kv.value, 0).square().sum().backward();
  by_definition(plain, {.mode = ViewMode::kNone}, 0).square().sum().backward();
  REQUIRE((ours.query.grad() - plain.query.grad()).abs().max().item<double>() < 1e-9);
  REQUIRE((ours.kv.value.grad() - plain.kv.value.grad()).abs().max().item<double>() < 1e-9);
}

TEST_CASE("attention: gradient by central differences") {
  const Operands x = random_operands(22);
  const KvViewOptions view{.mode = ViewMode::kPast};
  const at::Tensor slope = at::randn({2, 4, 150, 5}, at::kDouble);
  (masked_attention(x.query, x.kv, view, 0) * slope).sum().backward();
  const at::NoGradGuard no_grad;
  for (const at::Tensor& operand : x.all()) {
    at::Tensor place = operand[1][1][64][2];
    const double kept = place.item<double>(), step = 1e-5;
    const auto value = [&](double shifted) {
      place.fill_(shifted);
      return (masked_attention(x.query, x.kv, view, 0) * slope).sum().item<double>();
    };
    const double numeric = (value(kept + step) - value(kept - step)) / (2 * step);
    place.fill_(kept);
    // The step's own error is of order step^2 times third derivatives, here below 1e-7.
    REQUIRE(operand.grad()[1][1][64][2].item<double>() == Approx(numeric).margin(1e-7));
  }
}

TEST_CASE("attention: products of chunks, for devices without a kernel, equal the kernel") {
  const Operands x = random_operands(23);
  const at::Tensor grad = at::randn({2, 4, 150, 5}, at::kDouble);
  const at::NoGradGuard no_grad;
  for (const KvViewOptions& view : views()) {
    if (view.sinks > 0) continue;  // the caller mixes sinks in
    INFO(view.name());
    const AttentionBounds bounds = attention_bounds(view, 0, 150, 20);
    const at::Tensor out = masked_attention(x.query, x.kv, view, 20);
    const auto differ = [](const at::Tensor& a, const at::Tensor& b) {
      return (a - b).abs().max().item<double>();
    };
    REQUIRE(differ(chunked_attention(x.query, x.kv, bounds), out) < 1e-12);
    const AttentionRecord record{x.query, out, x.kv};
    const AttentionGradients chunks = chunked_attention_backward(grad, record, bounds);
    const AttentionGradients kernel = attention_backward(grad, record, bounds);
    // Sums of up to 600 products in another order.
    CHECK(differ(chunks.query, kernel.query) < 1e-11);
    CHECK(differ(chunks.kv.key, kernel.kv.key) < 1e-11);
    CHECK(differ(chunks.kv.value, kernel.kv.value) < 1e-11);
    CHECK(differ(chunks.kv.key_hat, kernel.kv.key_hat) < 1e-11);
    CHECK(differ(chunks.kv.value_hat, kernel.kv.value_hat) < 1e-11);
  }
}

TEST_CASE("attention: gradients of head sizes that fill no vector, whole model views, float32") {
  at::manual_seed(27);
  for (const int64_t dim : {1, 3, 8, 20, 64, 80})
    for (const int64_t seq : {1, 23, 61}) {
      const auto random = [&](int64_t heads) {
        return at::randn({1, heads, seq, dim}, at::kDouble);
      };
      const at::Tensor query = random(2), grad = random(2);
      const KvPair kv{random(1), random(1), random(1), random(1)};
      const KvViewOptions view{.mode = ViewMode::kPast, .window = 3};
      const AttentionBounds bounds = attention_bounds(view, 0, seq, 0);
      const at::NoGradGuard no_grad;
      const AttentionRecord record{query, masked_attention(query, kv, view, 0), kv};
      const AttentionGradients expected = chunked_attention_backward(grad, record, bounds);
      const auto single = [](const at::Tensor& x) { return x.to(at::kFloat); };
      const AttentionRecord narrow{
          single(query),
          single(record.out),
          {single(kv.key), single(kv.value), single(kv.key_hat), single(kv.value_hat)}};
      const AttentionGradients got = attention_backward(single(grad), narrow, bounds);
      INFO("head_dim " << dim << ", " << seq << " tokens");
      // float32 products of up to 122 terms of magnitude up to dim: about 1e-7 of each.
      const double bound = 1e-5 * (1 + static_cast<double>(dim) / 4);
      CHECK((got.query - expected.query).abs().max().item<double>() < bound);
      CHECK((got.kv.key - expected.kv.key).abs().max().item<double>() < bound);
      CHECK((got.kv.value_hat - expected.kv.value_hat).abs().max().item<double>() < bound);
    }
}

TEST_CASE("attention: head sizes that fill no vector, and float32 against float64") {
  at::manual_seed(24);
  for (const int64_t dim : {1, 3, 8, 20, 64, 80}) {
    const at::Tensor q = at::randn({1, 2, 61, dim}, at::kDouble),
                     k = at::randn({1, 1, 61, dim}, at::kDouble);
    const at::Tensor v = at::randn({1, 1, 61, dim}, at::kDouble);
    const at::Tensor exact = at::scaled_dot_product_attention(
        q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1), {}, 0, true);
    INFO("head_dim " << dim);
    REQUIRE((full_attention(q, k, v, 0) - exact).abs().max().item<double>() < 1e-12);
    const at::Tensor single =
        full_attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), 0);
    // float32 scores of magnitude sqrt(dim) carry an error of about 1e-6.
    REQUIRE((single - exact).abs().max().item<double>() < 2e-5);
  }
}

TEST_CASE("attention: scores far apart neither overflow nor lose the largest") {
  const at::Tensor q = at::full({1, 1, 4, 1}, 100.0), k = at::tensor({-90.0F, 0.0F, 90.0F, -90.0F});
  const at::Tensor v = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 1, 4, 1});
  const at::Tensor out = full_attention(q, k.view({1, 1, 4, 1}), v, 0).flatten();
  // Scores differ by 9000: every query sees its largest key alone.
  REQUIRE(at::equal(out, at::tensor({1.0F, 2.0F, 3.0F, 3.0F})));
}

TEST_CASE("attention: the number of threads changes no bit, forward and backward") {
  const Operands original = random_operands(26);
  std::vector<std::vector<at::Tensor>> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const Operands x = copy_of(original);
    const at::Tensor out = masked_attention(x.query, x.kv, {.mode = ViewMode::kPast}, 0);
    out.square().sum().backward();
    results.push_back({out.detach()});
    for (const at::Tensor& operand : x.all()) results.back().push_back(operand.grad());
  }
  at::set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i) {
    REQUIRE(at::equal(results[0][i], results[1][i]));
    REQUIRE(at::equal(results[0][i], results[2][i]));
  }
}
