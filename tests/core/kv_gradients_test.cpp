#include "core/calibrate/kv_gradients.h"

#include "core/attention/masked_attention.h"
#include "core/calibrate/calibration.h"
#include "core/calibrate/token_sample.h"
#include "core/device/torch_headers.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

namespace {

/// The mean next-token NLL of the calibration text through the whole model at once; `visit` may
/// replace keys before RoPE and values of a batch by others, and sees every layer.
double nll(test::BlockFixture& fixture, const std::function<void(int64_t, AttentionInputs&)>& visit,
           at::Tensor* loss = nullptr) {
  ModelSource& source = fixture.model();
  at::Tensor sum = at::zeros({}, at::kDouble);
  int64_t predicted = 0;
  for (const at::Tensor& tokens : fixture.chain().tokens()) {
    at::Tensor hidden = source.embed(tokens).requires_grad_();
    for (int64_t layer = 0; layer < source.config().layers; ++layer)
      hidden = forward_block(source.config(), layer, source.block(layer), source.rope(), hidden, 0,
                             [&](const AttentionInputs& in) {
                               AttentionInputs changed = in;
                               visit(layer, changed);
                               return plain_attention(changed);
                             });
    const at::Tensor log_p = source.head().logits(hidden).log_softmax(-1);
    const int64_t last = tokens.size(1) - 1;
    sum = sum - log_p.narrow(1, 0, last).gather(2, tokens.narrow(1, 1, last).unsqueeze(2)).sum();
    predicted += tokens.size(0) * last;
  }
  const at::Tensor mean = sum / static_cast<double>(predicted);
  if (loss) *loss = mean;
  return mean.item<double>();
}

/// [tokens, kv_heads, head_dim] of all batches.
at::Tensor joined(const std::vector<at::Tensor>& batches) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& x : batches) rows.push_back(x.transpose(1, 2).flatten(0, 1));
  return at::cat(rows);
}

}  // namespace

TEST_CASE("kv gradients: block by block equals autograd through the whole model") {
  for (const char* model : {"tests/golden/models/llama_gqa_head_dim", "tests/golden/models/qwen3"})
    for (const KeyPoint point : {KeyPoint::kBeforeRope, KeyPoint::kAfterRope}) {
      test::BlockFixture fixture(model);
      const auto layers = static_cast<size_t>(fixture.model().config().layers);
      std::vector<std::vector<at::Tensor>> keys(layers), values(layers);
      at::Tensor loss;
      {
        const at::AutoGradMode with_gradients(true);
        nll(
            fixture,
            [&](int64_t layer, AttentionInputs& in) {
              const auto i = static_cast<size_t>(layer);
              keys[i].push_back(point == KeyPoint::kBeforeRope ? in.key_before_rope : in.key);
              values[i].push_back(in.value);
            },
            &loss);
      }
      const std::vector<KvGradients>& found = fixture.chain().gradients(point);
      REQUIRE(found.size() == layers);
      for (size_t i = 0; i < layers; ++i) {
        const at::Tensor key = joined(torch::autograd::grad({loss}, keys[i], {}, true)).square();
        const at::Tensor value =
            joined(torch::autograd::grad({loss}, values[i], {}, true)).square();
        INFO(model << ", block " << i);
        REQUIRE(found[i].key.sizes() == key.sizes());
        REQUIRE(key.max().item<double>() > 0);
        // Stored in float32: 24 bits, relative to each entry.
        REQUIRE(at::allclose(found[i].key.to(at::kDouble), key, 1e-6, 1e-30));
        REQUIRE(at::allclose(found[i].value.to(at::kDouble), value, 1e-6, 1e-30));
      }
      // Kept for the next run.
      REQUIRE(&fixture.chain().gradients(point) == &found);
    }
}

TEST_CASE("kv gradients: a numeric derivative agrees") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const at::NoGradGuard no_grad;
  const int64_t layer = 0, token = 5, head = 1, channel = 7;
  const auto moved = [&](double step, bool key) {
    bool first = true;  // only the first window of the first batch
    return nll(fixture, [&](int64_t at_layer, AttentionInputs& in) {
      if (at_layer != layer || !first) return;
      first = false;
      at::Tensor& x = key ? in.key_before_rope : in.value;
      x = x.clone();
      x[0][head][token][channel] += step;
      if (key) in.key = in.rope->apply(x, 0);
    });
  };
  const KvGradients& found = fixture.chain().gradients(KeyPoint::kBeforeRope)[0];
  for (const bool key : {true, false}) {
    const double step = 1e-5;
    const double slope = (moved(step, key) - moved(-step, key)) / (2 * step);
    // Central differences of a loss of order 1: rounding 1e-16 / 1e-5 beside slopes of about 1e-5.
    REQUIRE((key ? found.key : found.value)[token][head][channel].item<double>() ==
            Approx(slope * slope).epsilon(1e-4));
  }
}

TEST_CASE("token sample: evenly spaced, all where they are few, the same tokens as by hand") {
  const std::vector<at::Tensor> batches{at::zeros({2, 6}), at::zeros({1, 8})};
  const TokenSample all(batches, 100);
  REQUIRE(at::equal(
      all.positions(),
      at::tensor({0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7}, at::kLong)));
  // Tokens 0, 5, 10 and 15 of 20.
  const TokenSample few(batches, 4);
  REQUIRE(at::equal(few.positions(), at::tensor({0, 5, 4, 3}, at::kLong)));
  const at::Tensor x = at::arange(2 * 3 * 6 * 2, at::kDouble).view({2, 3, 6, 2});
  const at::Tensor taken = few.take(0, x);
  REQUIRE(taken.sizes() == at::IntArrayRef({3, 3, 2}));
  REQUIRE(at::equal(taken[1], x[0].select(1, 5)));
  REQUIRE(at::equal(taken[2], x[1].select(1, 4)));
}
