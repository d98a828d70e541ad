#include "core/attention/masked_attention.h"
#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;

// The exact identities of a channel's shift and scale, under grouped queries: which of them need
// not be undone token by token. All in float64, to the project's bound of 1e-9 and mostly far
// below.
namespace {

constexpr double kExact = 1e-12;  // sums of at most 40 products of magnitude 1 to 10

struct Operands {
  at::Tensor query;
  KvPair kv;
};

Operands random_operands() {
  at::manual_seed(31);
  const auto random = [](int64_t heads) { return at::randn({2, heads, 40, 6}, at::kDouble); };
  return {random(4), {random(2), random(2), random(2), random(2)}};
}

/// One value a channel of each kv head, broadcast over tokens.
at::Tensor channels(double low, double high) {
  return at::empty({2, 6}, at::kDouble).uniform_(low, high).view({1, 2, 1, 6});
}

/// As every query head of its kv head reads it.
at::Tensor for_queries(const at::Tensor& x) {
  return x.repeat_interleave(2, 1);
}

at::Tensor past(const at::Tensor& query, const KvPair& kv) {
  return masked_attention(query, kv, {.mode = ViewMode::kPast}, 0);
}

double differ(const at::Tensor& x, const at::Tensor& y) {
  return (x - y).abs().max().item<double>();
}

}  // namespace

TEST_CASE("channels: a shift of all keys changes no weight, so it need not be added back") {
  const Operands x = random_operands();
  const at::Tensor shift = channels(-5, 5);
  const KvPair shifted{x.kv.key - shift, x.kv.value, x.kv.key_hat - shift, x.kv.value_hat};
  CHECK(differ(past(x.query, shifted), past(x.query, x.kv)) < kExact);
  // Left out of the exact key alone it is another function.
  const KvPair wrong{x.kv.key, x.kv.value, x.kv.key_hat - shift, x.kv.value_hat};
  CHECK(differ(past(x.query, wrong), past(x.query, x.kv)) > 0.1);
}

TEST_CASE("channels: a shift of all values is added once, behind the attention weights") {
  const Operands x = random_operands();
  const at::Tensor shift = channels(-5, 5);
  const KvPair shifted{x.kv.key, x.kv.value - shift, x.kv.key_hat, x.kv.value_hat - shift};
  CHECK(differ(past(x.query, shifted) + for_queries(shift), past(x.query, x.kv)) < kExact);
}

TEST_CASE(
    "channels: a scale of keys is a factor of the query, one of values a factor of the output") {
  const Operands x = random_operands();
  const at::Tensor key = channels(0.5, 4), value = channels(0.5, 4);
  const KvPair scaled{x.kv.key / key, x.kv.value / value, x.kv.key_hat / key,
                      x.kv.value_hat / value};
  const at::Tensor out = past(x.query * for_queries(key), scaled) * for_queries(value);
  CHECK(differ(out, past(x.query, x.kv)) < kExact);
}

TEST_CASE("channels: a scale of values folds into the projections around attention") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const ModelConfig& model = fixture.model().config();
  at::manual_seed(32);
  const at::Tensor scale =
      at::empty({model.kv_heads, model.head_dim}, at::kDouble).uniform_(0.5, 4);
  KvTensorOptions options;
  options.bits = 3;
  const KvViewOptions view{.mode = ViewMode::kPast};
  const auto forward = [&](const BlockWeights& weights, const ChannelTransform& of_values) {
    const KvCodec codec{{}, {options, of_values}};
    return forward_block(model, 0, weights, fixture.model().rope(), fixture.inputs(0)[0], 0,
                         attention_of(codec, view));
  };
  const BlockWeights weights = fixture.model().block(0);
  BlockWeights folded = weights;
  folded.value.weight = weights.value.weight / scale.flatten().unsqueeze(1);
  folded.output.weight =
      weights.output.weight * scale.repeat_interleave(model.heads / model.kv_heads, 0).flatten();
  const at::Tensor expected = forward(weights, {.shift = {}, .scale = scale});
  CHECK(differ(forward(folded, {}), expected) < 1e-9);
  CHECK(differ(forward(weights, {}), expected) > 1e-4);  // the scale matters to the quantizer
}
