#include "core/generate/generator.h"

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

ModelSource model(const std::string& name, at::ScalarType dtype = at::kDouble) {
  return {std::make_shared<const Checkpoint>(test::source("tests/golden/models/" + name)),
          {.dtype = dtype, .resident_bytes = int64_t{1} << 30}};
}

/// Full-precision weights; keys in 3 bits, values in 2, of which both see every group they have.
std::vector<QuantizedBlock> quantized_blocks(ModelSource& source, bool time = false) {
  std::vector<QuantizedBlock> blocks = full_precision_blocks(source);
  KvTensorOptions key{.bits = 3}, value{.bits = 2, .group_size = 4};
  if (time) key = {.bits = 2, .group_size = 4, .axis = KvAxis::kTime};
  for (QuantizedBlock& block : blocks)
    block.codec = {{key, ChannelRange()}, {value, ChannelRange()}};
  return blocks;
}

std::vector<int32_t> prompt(int64_t length, int32_t salt) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < length; ++i) tokens.push_back((7 * i + 5 * salt + i * i) % 60 + 3);
  return tokens;
}

/// Tokens and log-probabilities by prompt.
struct Written {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<std::vector<double>> scores;
};

Written write(Generator& generator, const std::vector<Prompt>& prompts,
              const SamplingOptions& sampling = {.temperature = 1, .seed = 5}) {
  Written written;
  written.scores.resize(prompts.size());
  written.tokens = generator.generate(
      prompts, {.sampling = sampling, .on_token = [&](const WrittenToken& token) {
                  written.scores[token.prompt].push_back(token.log_probability());
                  return true;
                }});
  return written;
}

/// Log-probabilities of the last `count` of `tokens` in one pass.
std::vector<double> one_pass(ModelSource& source, const std::vector<QuantizedBlock>& blocks,
                             const KvViewOptions& view, const std::vector<int32_t>& tokens,
                             int64_t count) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::tensor(at::ArrayRef<int32_t>(tokens), at::kLong).unsqueeze(0);
  at::Tensor hidden = source.embed(ids);
  for (size_t i = 0; i < blocks.size(); ++i)
    hidden = forward_block(source.config(), static_cast<int64_t>(i), blocks[i].weights,
                           source.rope(), hidden, 0, attention_of(blocks[i].codec, view));
  const at::Tensor logp = at::log_softmax(source.head().logits(hidden[0]), -1);
  std::vector<double> scores;
  const auto length = static_cast<int64_t>(tokens.size());
  for (int64_t t = length - count; t < length; ++t)
    scores.push_back(logp[t - 1][tokens[static_cast<size_t>(t)]].item<double>());
  return scores;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// The project's bound for equal views in float64.
constexpr double kEqual = 1e-9;

}  // namespace

TEST_CASE("generator: scores equal those of one pass, every mode, unequal lengths together") {
  const std::vector<KvViewOptions> views{{.mode = ViewMode::kNone},
                                         {.mode = ViewMode::kAll},
                                         {.mode = ViewMode::kPast},
                                         {.mode = ViewMode::kPast, .window = 4, .sinks = 2},
                                         {.mode = ViewMode::kKivi, .window = 8}};
  for (const std::string name :
       {"llama_mha", "llama_gqa_head_dim", "llama_mqa", "mistral_window", "qwen3"}) {
    ModelSource source = model(name);
    for (const KvViewOptions& view : views)
      for (const bool prefilled : {false, true}) {
        const bool has_prefill = view.mode == ViewMode::kPast || view.mode == ViewMode::kNone;
        if (prefilled && !has_prefill) continue;
        const auto blocks = quantized_blocks(source, view.mode == ViewMode::kKivi);
        Generator generator(source, blocks, view);
        std::vector<Prompt> prompts;
        for (const int64_t length : {11, 1, 24, 6})
          prompts.push_back({.tokens = prompt(length, static_cast<int32_t>(length)),
                             .prefill = prefilled ? length : 0,
                             .max_tokens = 14,
                             .sequence = length});
        const Written written = write(generator, prompts);
        for (size_t i = 0; i < prompts.size(); ++i) {
          std::vector<int32_t> all = prompts[i].tokens;
          all.insert(all.end(), written.tokens[i].begin(), written.tokens[i].end());
          KvViewOptions own = view;
          own.prefill = prompts[i].prefill;
          INFO(name << ", " << own.name() << ", prompt " << i);
          REQUIRE(written.tokens[i].size() == 14);
          CHECK(largest_difference(written.scores[i], one_pass(source, blocks, own, all, 14)) <
                kEqual);
        }
      }
  }
}

TEST_CASE("generator: quantization is seen after the prefill, not within it") {
  ModelSource source = model("llama_gqa_head_dim");
  const auto exact = full_precision_blocks(source), blocks = quantized_blocks(source);
  const Prompt whole{.tokens = prompt(12, 1), .prefill = 12, .max_tokens = 6};
  Generator quantized(source, blocks, {.mode = ViewMode::kPast});
  Generator plain(source, exact, {.mode = ViewMode::kNone});
  const Written a = write(quantized, {whole}, {}), b = write(plain, {whole}, {});
  // The first token is chosen from a prompt in full precision; both models begin alike.
  REQUIRE(a.tokens[0][0] == b.tokens[0][0]);
  CHECK(std::abs(a.scores[0][0] - b.scores[0][0]) < kEqual);
  CHECK(std::abs(a.scores[0][1] - b.scores[0][1]) > 1e-4);
}

TEST_CASE("generator: a batch of unequal lengths equals its sequences alone") {
  for (const std::string name : {"llama_gqa_head_dim", "llama_dynamic"}) {
    ModelSource source = model(name);
    Generator generator(source, quantized_blocks(source), {.mode = ViewMode::kPast});
    std::vector<Prompt> prompts;
    for (const int64_t length : {9, 3, 17})
      prompts.push_back({.tokens = prompt(length, 2),
                         .prefill = length == 3 ? 0 : length,
                         .max_tokens = 5 + length,
                         .sequence = length});
    const Written together = write(generator, prompts);
    for (size_t i = 0; i < prompts.size(); ++i) {
      const Written alone = write(generator, {prompts[i]});
      INFO(name << ", prompt " << i);
      CHECK(together.tokens[i] == alone.tokens[0]);
      CHECK(largest_difference(together.scores[i], alone.scores[0]) < kEqual);
    }
  }
}

TEST_CASE("generator: what else is in a batch changes no bit of a sequence") {
  ModelSource source = model("llama_gqa_head_dim", at::kFloat);
  Generator generator(source, quantized_blocks(source), {.mode = ViewMode::kPast});
  const Prompt first{.tokens = prompt(9, 1), .prefill = 9, .max_tokens = 20};
  Prompt second{.tokens = prompt(13, 2), .prefill = 13, .max_tokens = 20, .sequence = 1};
  const Written before = write(generator, {first, second});
  second.tokens = prompt(13, 3);
  const Written after = write(generator, {first, second});
  CHECK(before.tokens[0] == after.tokens[0]);
  CHECK(before.scores[0] == after.scores[0]);
  CHECK(before.scores[1] != after.scores[1]);
}

TEST_CASE("generator: 2000 tokens change no code of an earlier one, and each is encoded once") {
  ModelSource source = model("llama_gqa_head_dim", at::kFloat);
  Generator generator(source, quantized_blocks(source),
                      {.mode = ViewMode::kPast, .window = 2, .sinks = 3});
  std::vector<std::vector<at::Tensor>> early;
  const auto codes = [&](size_t count) {
    std::vector<std::vector<at::Tensor>> all;
    for (const BlockCache& held : generator.caches(0)) {
      const auto& cache = std::get<KvCache>(held);
      for (const auto* side : {&cache.stored_keys(), &cache.stored_values()}) {
        all.emplace_back();
        for (size_t i = 0; i < count; ++i)
          for (const at::Tensor& part :
               {(*side)[i].codes.rows.groups.codes, (*side)[i].codes.rows.groups.scale})
            all.back().push_back(part.clone());
      }
    }
    return all;
  };
  int64_t tokens = 0;
  generator.generate({{.tokens = prompt(20, 1), .prefill = 20, .max_tokens = 2000}},
                     {.sampling = {.temperature = 1}, .on_token = [&](const WrittenToken&) {
                        if (++tokens == 50) early = codes(30);
                        return true;
                      }});
  REQUIRE(tokens == 2000);
  const auto late = codes(30);
  REQUIRE(early.size() == late.size());
  for (size_t i = 0; i < early.size(); ++i)
    for (size_t k = 0; k < early[i].size(); ++k) REQUIRE(at::equal(early[i][k], late[i][k]));
  for (const BlockCache& held : generator.caches(0)) {
    const auto& cache = std::get<KvCache>(held);
    // The last token written is not in the cache; two are in the window, three are sinks.
    CHECK(cache.tokens() == 20 + 1999);
    CHECK(cache.encoded_keys() == cache.tokens() - 2 - 3);
    CHECK(cache.encoded_values() == cache.encoded_keys());
    int64_t next = 3;
    for (const KvCache::Stored& stored : cache.stored_keys()) {
      REQUIRE(stored.position == next);
      next += stored.tokens;
    }
    CHECK(next == 3 + cache.encoded_keys());
  }
}

TEST_CASE("generator: end tokens, limits, a caller that has enough, prompts that cannot be") {
  ModelSource source = model("llama_mha");
  Generator generator(source, full_precision_blocks(source), {.mode = ViewMode::kNone});
  const Prompt one{.tokens = prompt(5, 1), .prefill = 5, .max_tokens = 8};
  const auto greedy = generator.generate({one}, {});
  REQUIRE(greedy[0].size() == 8);
  const int32_t third = greedy[0][2];
  const auto ends = std::find(greedy[0].begin(), greedy[0].end(), third) - greedy[0].begin();
  const auto ended = generator.generate({one}, {.end_tokens = {third}});
  CHECK(ended[0] == std::vector<int32_t>(greedy[0].begin(), greedy[0].begin() + ends));
  size_t told = 0;
  const auto enough =
      generator.generate({one}, {.on_token = [&](const WrittenToken&) { return ++told < 4; }});
  CHECK(enough[0] == std::vector<int32_t>(greedy[0].begin(), greedy[0].begin() + 4));
  Prompt none = one;
  none.max_tokens = 0;
  CHECK(generator.generate({none}, {})[0].empty());
  CHECK(generator.generate({}, {}).empty());
  none.tokens.clear();
  CHECK_THROWS_AS(generator.generate({none}, {}), c10::Error);
  Generator all(source, quantized_blocks(source), {.mode = ViewMode::kAll});
  CHECK_THROWS_AS(all.generate({one}, {}), c10::Error);
}
