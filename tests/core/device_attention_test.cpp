#include "core/attention/device_attention.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

struct Case {
  int64_t heads, kv_heads, seq, keys, dim, sliding;
};

/// Grouped heads, tiles cut at either end, fewer queries than keys, every number of channels a
/// thread.
const std::vector<Case> kCases{{2, 2, 1, 1, 8, 0},
                               {4, 2, 40, 40, 20, 0},
                               {3, 1, 33, 50, 64, 9},
                               {1, 1, 17, 17, 144, 0},
                               {2, 1, 34, 34, 256, 20}};
/// For tensor cores: tiles of 64 cut at either end, warps without a query, every number of slices.
const std::vector<Case> kHalfCases{{2, 2, 1, 1, 16, 0},     {4, 2, 33, 65, 16, 0},
                                   {1, 1, 67, 131, 64, 9},  {1, 1, 35, 35, 144, 0},
                                   {1, 1, 34, 34, 128, 20}, {1, 1, 17, 17, 256, 0}};
constexpr at::ScalarType kHalfTypes[] = {at::kHalf, at::kBFloat16};

const std::vector<KvViewOptions>& views() {
  static const std::vector<KvViewOptions> all{
      {.mode = ViewMode::kNone},
      {.mode = ViewMode::kAll},
      {.mode = ViewMode::kPast},
      {.mode = ViewMode::kPast, .window = 5},
      {.mode = ViewMode::kPast, .window = 900},
      {.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 20},
      {.mode = ViewMode::kKivi, .window = 8}};
  return all;
}

/// masked_attention with the kernels of `on`.
at::Tensor attend(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                  int64_t sliding, const TestDevice& on) {
  KvPair ready = kv;
  const int64_t sinks = std::min(KvMask(view, true).sinks(), kv.key.size(2));
  for (const auto& [copy, exact] :
       {std::pair{&ready.key_hat, kv.key}, std::pair{&ready.value_hat, kv.value}}) {
    *copy = copy->clone();
    copy->narrow(2, 0, sinks).copy_(exact.narrow(2, 0, sinks));
  }
  const int64_t keys = kv.key.size(2);
  return attention_on_device(
      query, ready, attention_bounds(view, keys - query.size(2), keys, sliding), *on.kernels);
}

KvPair wide(const KvPair& kv) {
  const auto of = [](const at::Tensor& x) { return x.cpu().to(at::kDouble); };
  return {of(kv.key), of(kv.value), of(kv.key_hat), of(kv.value_hat)};
}

void every_view(const TestDevice& on, at::ScalarType dtype, const std::vector<Case>& cases) {
  at::manual_seed(36);
  for (const Case& c : cases) {
    const auto random = [&](int64_t heads, int64_t seq) {
      // Heads behind each other in a token, as a projection leaves them.
      return at::randn({2, seq, heads, c.dim}).to(on.device, dtype).transpose(1, 2);
    };
    const at::Tensor query = random(c.heads, c.seq);
    const auto copy = [&](const at::Tensor& x) { return x + at::randn_like(x) * 0.3; };
    const at::Tensor key = random(c.kv_heads, c.keys), value = random(c.kv_heads, c.keys);
    const KvPair kv{key, value, copy(key), copy(value)};
    for (const KvViewOptions& view : views()) {
      const at::Tensor out = attend(query, kv, view, c.sliding, on);
      REQUIRE(out.scalar_type() == dtype);
      const at::Tensor expected =
          masked_attention(query.cpu().to(at::kDouble), wide(kv), view, c.sliding);
      INFO(on.kernels->name << ", " << dtype << ", " << view.name() << ", " << c.heads << ":"
                            << c.kv_heads << " heads of " << c.dim << ", " << c.seq
                            << " queries of " << c.keys);
      REQUIRE((out.cpu().to(at::kDouble) - expected).abs().max().item<double>() <
              attention_tolerance(dtype));
    }
  }
}

void every_view(const TestDevice& on) {
  every_view(on, at::kFloat, kCases);
  for (const at::ScalarType dtype : kHalfTypes) every_view(on, dtype, kHalfCases);
}

/// Copies that are nothing like the exact rows: any token read from the wrong side shows.
void by_hand(const TestDevice& on, at::ScalarType dtype, double rounding) {
  const int64_t n = 20;
  const auto full = [&](double x) { return at::full({1, 1, n, 16}, x).to(on.device, dtype); };
  // All scores equal: weights are 1 / (t + 1). Values: 1 where quantized, 100 where exact.
  const at::Tensor out = attend(full(0), {full(1), full(100), full(1), full(1)},
                                {.mode = ViewMode::kPast, .window = 3}, 0, on);
  for (const int64_t t : {0, 1, 2, 3, 16, 19}) {
    const double exact = static_cast<double>(std::min<int64_t>(3, t + 1));
    const double count = static_cast<double>(t + 1);
    REQUIRE(out[0][0][t][2].item<double>() ==
            Approx((100 * exact + count - exact) / count).epsilon(rounding));
  }
}

void by_hand(const TestDevice& on) {
  // One rounding of 6e-8 of each of a few numbers up to 300.
  by_hand(on, at::kFloat, 1e-6);
  // All weights are 1: only the result is rounded, to 11 and 8 bits.
  by_hand(on, at::kHalf, 5e-4);
  by_hand(on, at::kBFloat16, 4e-3);
}

/// Rows that do not begin at multiples of 16 bytes are those of their copies.
void any_layout(const TestDevice& on) {
  at::manual_seed(41);
  for (const at::ScalarType dtype : kHalfTypes) {
    const auto within = [&] {
      return at::randn({2, 2, 20, 33}).to(on.device, dtype).narrow(3, 1, 32);
    };
    const at::Tensor query = within();
    const KvPair kv{within(), within(), within(), within()};
    const at::Tensor out = attend(query, kv, {.mode = ViewMode::kPast, .window = 3}, 0, on);
    const KvPair dense{kv.key.contiguous(), kv.value.contiguous(), kv.key_hat.contiguous(),
                       kv.value_hat.contiguous()};
    REQUIRE(at::equal(
        out, attend(query.contiguous(), dense, {.mode = ViewMode::kPast, .window = 3}, 0, on)));
  }
}

}  // namespace

TEST_CASE("device attention: every view agrees with the CPU in float64, emulated") {
  for (const TestDevice& on : emulated_devices()) every_view(on);
}

TEST_CASE("device attention: every view agrees with the CPU in float64, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) every_view(on);
}

TEST_CASE("device attention: rows of half types may begin anywhere, emulated") {
  for (const TestDevice& on : emulated_devices()) any_layout(on);
}

TEST_CASE("device attention: rows of half types may begin anywhere, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) any_layout(on);
}

TEST_CASE("device attention: half types on CUDA, with and without gradients", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) {
    at::manual_seed(42);
    const KvViewOptions view{.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 20};
    for (const at::ScalarType dtype : kHalfTypes) {
      const auto random = [&](int64_t heads) { return at::randn({2, heads, 70, 64}).to(dtype); };
      const at::Tensor query = random(4), key = random(2), value = random(2);
      const KvPair kv{key, value, key * 0.9, value * 1.1};
      const at::Tensor expected = masked_attention(query.to(at::kDouble), wide(kv), view, 30);
      for (const bool tracked : {false, true}) {
        const auto there = [&](const at::Tensor& x) { return x.to(on.device); };
        const at::Tensor out = masked_attention(
            there(query).requires_grad_(tracked),
            {there(kv.key), there(kv.value), there(kv.key_hat), there(kv.value_hat)}, view, 30);
        REQUIRE(out.scalar_type() == dtype);
        REQUIRE(out.requires_grad() == tracked);
        REQUIRE((out.detach().cpu().to(at::kDouble) - expected).abs().max().item<double>() <
                attention_tolerance(dtype));
      }
    }
  }
}

TEST_CASE("device attention: exact and quantized values by hand, emulated") {
  for (const TestDevice& on : emulated_devices()) by_hand(on);
}

TEST_CASE("device attention: exact and quantized values by hand, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) by_hand(on);
}

TEST_CASE("device attention: masked_attention and its gradient on CUDA as on the CPU", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) {
    at::manual_seed(40);
    const at::Tensor query = at::randn({2, 4, 50, 64}), key = at::randn({2, 2, 50, 64});
    const at::Tensor value = at::randn({2, 2, 50, 64}), slope = at::randn({2, 4, 50, 64});
    const KvViewOptions view{.mode = ViewMode::kPast, .window = 4, .sinks = 2, .prefill = 20};
    const auto results = [&](const at::Device& device) {
      const auto leaf = [&](const at::Tensor& x) {
        return x.to(device).detach().clone().requires_grad_();
      };
      const at::Tensor q = leaf(query), k = leaf(key), v = leaf(value);
      const at::Tensor out = masked_attention(q, {k, v, k * 0.9, v * 1.1}, view, 30);
      (out * slope.to(device)).sum().backward();
      return at::cat({out.flatten(), q.grad().flatten(), k.grad().flatten(), v.grad().flatten()})
          .detach()
          .cpu();
    };
    // Gradients of keys and values are sums over 50 queries and two heads.
    REQUIRE((results(on.device) - results(at::kCPU)).abs().max().item<double>() <
            10 * attention_tolerance(at::kFloat));
  }
}
