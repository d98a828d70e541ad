#include "core/calibrate/packed_block.h"
#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "core/generate/generator.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Catch::Matchers::Contains;

// The embedded model (grouped queries, 2 kv heads of 64) with weights and cache of codes.
namespace {

ModelSource mini(at::ScalarType dtype = at::kFloat) {
  return {std::make_shared<const Checkpoint>(test::source("datasets/mini")),
          {.dtype = dtype, .resident_bytes = int64_t{1} << 30}};
}

struct Blocks {
  std::vector<QuantizedBlock> simulated, packed;
};

Blocks quantized(ModelSource& source, const std::string& kv = "{bits: 4, group_size: 64}") {
  const auto method = test::method_of(
      fmt::format("{{name: rtn, weight: {{bits: 4, group_size: 64}}, kv: {}}}", kv));
  // float64 is the reference only; codes have scales of float32.
  BlockPass pass{.keep_blocks = true, .keep_packed = source.options().dtype != at::kDouble};
  test::MemoryRecorder recorder;
  run_blocks(source, *method, pass, recorder);
  return {pass.blocks, pass.packed_blocks};
}

std::vector<int32_t> prompt(int64_t length, int32_t salt) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < length; ++i) tokens.push_back((97 * i + 31 * salt + i * i) % 4000 + 3);
  return tokens;
}

struct Written {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<double> scores;
};

Written write(Generator& generator, const std::vector<Prompt>& prompts) {
  Written written;
  written.tokens = generator.generate(prompts, {.on_token = [&](const WrittenToken& token) {
                                        written.scores.push_back(token.log_probability());
                                        return true;
                                      }});
  return written;
}

/// Log-probabilities of the tokens of `text` behind its first one, decoded under `view`.
at::Tensor given_text(ModelSource& source, const Blocks& blocks, const KvViewOptions& view,
                      const std::vector<int32_t>& text) {
  const at::NoGradGuard no_grad;
  Decoder decoder(source, blocks.simulated, view);
  std::vector<at::Tensor> scores;
  for (size_t t = 0; t + 1 < text.size(); ++t) {
    const at::Tensor hidden = decoder.step(at::tensor({int64_t{text[t]}}).view({1, 1}));
    const at::Tensor logits = source.head().logits(hidden[0][0]).to(at::kDouble);
    scores.push_back(at::log_softmax(logits, -1)[text[t + 1]]);
  }
  return at::stack(scores);
}

double root_mean_square(const at::Tensor& x) {
  return x.square().mean().sqrt().item<double>();
}

/// What the cache's codes under `view` do to a log-probability of that text, root mean square.
double quantization_noise(ModelSource& source, const Blocks& blocks, const KvViewOptions& view,
                          const std::vector<int32_t>& text) {
  return root_mean_square(given_text(source, blocks, view, text) -
                          given_text(source, blocks, {.mode = ViewMode::kNone}, text));
}

void check_same_text(ModelSource& source, const Blocks& blocks, const KvViewOptions& view,
                     bool prefilled) {
  std::vector<Prompt> prompts;
  for (const int64_t length : {70, 1, 23})
    prompts.push_back({.tokens = prompt(length, static_cast<int32_t>(length)),
                       .prefill = prefilled ? length : 0,
                       .max_tokens = 30});
  Generator simulated(source, blocks.simulated, view);
  Generator packed(source, blocks.packed, view, Storage::kPacked);
  const Written expected = write(simulated, prompts), got = write(packed, prompts);
  INFO(view.name() << ", prefilled: " << prefilled);
  REQUIRE(got.tokens == expected.tokens);
  const at::Tensor apart = at::tensor(at::ArrayRef<double>(got.scores), at::kDouble) -
                           at::tensor(at::ArrayRef<double>(expected.scores), at::kDouble);
  // Sums of float32 in another order.
  if (view.mode == ViewMode::kNone) {
    CHECK(apart.abs().max().item<double>() < 1e-4);
    return;
  }
  // A key or value on the edge between two codes may fall to the other one, which moves it by a
  // step; quantizing moves every value by step / sqrt(12). Where a share p of the codes falls to
  // the other side the difference is sqrt(12 p) of the noise of quantizing: a tenth is one in
  // 1,200, far more than float32 turns.
  std::vector<int32_t> text = prompts[0].tokens;
  text.insert(text.end(), expected.tokens[0].begin(), expected.tokens[0].end());
  const double noise = quantization_noise(source, blocks, view, text);
  INFO("noise " << noise);
  CHECK(root_mean_square(apart) < 0.1 * noise);
}

/// Logits [tokens, vocab] in double after each of 40 given tokens.
at::Tensor logits(ModelSource& source, const std::vector<QuantizedBlock>& blocks, Storage cache) {
  const at::NoGradGuard no_grad;
  Decoder decoder(source, blocks, {.mode = ViewMode::kPast}, cache);
  const std::vector<int32_t> tokens = prompt(40, 3);
  std::vector<at::Tensor> hidden;
  for (const int32_t token : tokens)
    hidden.push_back(decoder.step(at::tensor({int64_t{token}}).view({1, 1})));
  return source.head().logits(at::cat(hidden, 1)[0]).to(at::kDouble);
}

double relative_error(const at::Tensor& got, const at::Tensor& exact) {
  return ((got - exact).norm() / exact.norm()).item<double>();
}

}  // namespace

TEST_CASE("packed generator: writes the tokens of the simulated one, every view") {
  ModelSource source = mini();
  const Blocks blocks = quantized(source);
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kPast}, KvViewOptions{.mode = ViewMode::kAll},
        KvViewOptions{.mode = ViewMode::kPast, .window = 8},
        KvViewOptions{.mode = ViewMode::kPast, .window = 5, .sinks = 3},
        KvViewOptions{.mode = ViewMode::kNone}}) {
    check_same_text(source, blocks, view, false);
    if (view.mode != ViewMode::kAll) check_same_text(source, blocks, view, true);
  }
}

TEST_CASE("packed generator: writes the tokens of the simulated one under KIVI's windows") {
  ModelSource source = mini();
  const Blocks blocks = quantized(source,
                                  "{bits: 4, group_size: 64, key: {axis: time, group_size: 16}, "
                                  "view: {mode: kivi, window: 32}}");
  for (const int64_t window : {16, 32, 64})
    check_same_text(source, blocks, {.mode = ViewMode::kKivi, .window = window}, false);
}

TEST_CASE("packed generator: half types are as near to float64 as when simulated") {
  ModelSource exact = mini(at::kDouble);
  const at::Tensor expected = logits(exact, quantized(exact).simulated, Storage::kSimulated);
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf, at::kFloat}) {
    ModelSource source = mini(dtype);
    const Blocks blocks = quantized(source);
    const double simulated =
        relative_error(logits(source, blocks.simulated, Storage::kSimulated), expected);
    const double packed = relative_error(logits(source, blocks.packed, Storage::kPacked), expected);
    INFO(toString(dtype) << ": simulated " << simulated << ", packed " << packed);
    // The distance is made of codes that fall to the other side, a draw of its own either way: the
    // same size, not the same. What is not rounded to the half type adds nothing.
    CHECK(packed < 1.25 * simulated);
  }
}

TEST_CASE("packed generator: nothing but codes is held of what left the window") {
  ModelSource source = mini();
  const Blocks blocks = quantized(source, "{bits: 4, group_size: 64, scale_dtype: float16}");
  Generator packed(source, blocks.packed, {.mode = ViewMode::kPast}, Storage::kPacked);
  packed.generate({{.tokens = prompt(100, 1), .prefill = 100, .max_tokens = 29}}, {});
  for (const BlockCache& held : packed.caches(0)) {
    const auto& cache = std::get<PackedCache>(held);
    CHECK(cache.tokens() == 128);
    CHECK(cache.encoded_keys() == 128);
    // Two full pages of 2 heads of 64, keys and values: 4 bits and, a group of 64, two float16.
    CHECK(cache.packed().allocated_bytes() == 128 * 2 * 2 * (64 / 2 + 4));
    // Beside them room for 16 tokens or so in float32.
    CHECK(cache.held_bytes() - cache.packed().allocated_bytes() <= 34 * 2 * 2 * 64 * 4);
  }
  // The linears of 6 blocks in 4 bits, scales in float32, zero points; norms and a tied head.
  const int64_t elements = 6 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 704 * 256);
  const int64_t exact = (13 * 256 + 4096 * 256) * 4;
  CHECK(packed.weight_bytes() == elements / 2 + elements / 64 * 9 / 2 + exact);
  Generator simulated(source, blocks.simulated, {.mode = ViewMode::kPast});
  CHECK(simulated.weight_bytes() == elements * 4 + exact);
}

TEST_CASE("packed generator: what is not finite is reported with block and position") {
  ModelSource source = mini();
  Blocks blocks = quantized(source);
  at::Tensor& bias = blocks.packed[4].weights.value.bias;
  bias = at::zeros({128});
  bias[7] = std::numeric_limits<float>::infinity();
  Generator packed(source, blocks.packed, {.mode = ViewMode::kPast, .window = 4, .sinks = 2},
                   Storage::kPacked);
  const Prompt one{.tokens = prompt(9, 1), .max_tokens = 1};
  REQUIRE_THROWS_WITH(packed.generate({one}, {}),
                      Contains("block 4: the value of token 0 of sequence 0 is not finite"));
  // A token's own output, behind the last cache.
  blocks = quantized(source);
  blocks.packed[5].weights.down.bias = at::full({256}, std::numeric_limits<float>::quiet_NaN());
  Generator last(source, blocks.packed, {.mode = ViewMode::kPast}, Storage::kPacked);
  REQUIRE_THROWS_WITH(last.generate({one}, {}),
                      Contains("a logit after token 8 of prompt 0 is not a number"));
}
