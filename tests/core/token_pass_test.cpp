#include "core/generate/token_pass.h"

#include <fmt/format.h>

#include <atomic>

#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "core/generate/generator.h"
#include "core/kernels/dense_products.h"
#include "core/number/format_names.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;
using test::random_tensor;

namespace {

// Every family of the fixtures: grouped queries, windows, biases, norms of heads, RoPE scaling.
const std::vector<std::string> kFamilies{"llama_mha",    "llama_gqa_head_dim", "llama_mqa",
                                         "llama_llama3", "llama_linear",       "llama_dynamic",
                                         "llama_bias",   "tinyllama_tied",     "mistral_window",
                                         "qwen2_tied",   "qwen2_window",       "qwen3"};

ModelSource model(const std::string& folder) {
  return {std::make_shared<const Checkpoint>(test::source(folder)),
          {.dtype = at::kFloat, .resident_bytes = int64_t{1} << 30}};
}

/// The linears in codes of so many bits; 16: as they are.
std::vector<QuantizedBlock> blocks_of(ModelSource& source, int64_t bits, const KvCodec& codec) {
  std::vector<QuantizedBlock> blocks = full_precision_blocks(source);
  for (QuantizedBlock& block : blocks) {
    block.codec = codec;
    if (bits == 16) continue;
    block.weights.visit_linears([&](const char*, Linear& linear) {
      linear.packed = std::make_shared<const PackedWeight>(
          linear.weight,
          QuantSpec{.bits = bits, .group_size = 32, .scale_dtype = ScaleDtype::kFloat16});
      linear.weight = at::Tensor();
    });
  }
  return blocks;
}

struct Sequence {
  std::vector<BlockCache> caches;
  int64_t position = 0;
};

Sequence begin(const std::vector<QuantizedBlock>& blocks, const KvViewOptions& view,
               Storage storage) {
  Sequence sequence;
  for (size_t i = 0; i < blocks.size(); ++i)
    sequence.caches.push_back(
        make_block_cache(blocks[i].codec, view, storage, static_cast<int64_t>(i)));
  return sequence;
}

/// One token [hidden] through tensors.
at::Tensor through_tensors(ModelSource& source, const std::vector<QuantizedBlock>& blocks,
                           Sequence& sequence, const at::Tensor& token) {
  at::Tensor hidden = token.view({1, 1, -1});
  for (size_t i = 0; i < blocks.size(); ++i)
    hidden = forward_block(
        source.config(), static_cast<int64_t>(i), blocks[i].weights, source.rope(), hidden,
        sequence.position,
        [&](const AttentionInputs& in) { return wkvq::step(sequence.caches[i], in); });
  ++sequence.position;
  return hidden.view({-1});
}

/// The largest difference between both ways over some tokens of sequences of unequal lengths, as a
/// share of the largest number.
double difference(ModelSource& source, const std::vector<QuantizedBlock>& blocks,
                  const KvViewOptions& view, Storage storage, int64_t tokens = 12) {
  const at::NoGradGuard no_grad;
  REQUIRE(TokenPass::unsupported(source.config(), blocks).empty());
  Team team(2);
  TokenPass pass(source.config(), source.rope(), blocks, team);
  const size_t together = source.rope().fixed_frequencies() ? 3 : 1;
  std::vector<Sequence> plain, tensors;
  double largest = 0, apart = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    if (plain.size() < together) {
      plain.push_back(begin(blocks, view, storage));
      tensors.push_back(begin(blocks, view, storage));
    }
    const auto rows = static_cast<int64_t>(plain.size());
    const at::Tensor entering =
        random_tensor({rows, source.config().hidden_size}, static_cast<uint64_t>(t), at::kFloat);
    at::Tensor hidden = entering.clone();
    std::vector<TokenPlace> places;
    for (Sequence& sequence : plain) places.push_back({&sequence.caches, sequence.position++});
    pass.step(hidden.data_ptr<float>(), places);
    for (int64_t r = 0; r < rows; ++r) {
      const at::Tensor expected =
          through_tensors(source, blocks, tensors[static_cast<size_t>(r)], entering[r]);
      largest = std::max(largest, expected.abs().max().item<double>());
      apart = std::max(apart, (hidden[r] - expected).abs().max().item<double>());
    }
  }
  return apart / largest;
}

KvCodec codec_of(const KvTensorOptions& key, const KvTensorOptions& value, int64_t kv_heads = 1,
                 int64_t head_dim = 1) {
  ChannelRange range;
  range.add(random_tensor({1, kv_heads, 50, head_dim}, 1, at::kFloat));
  return {{key, range}, {value, range}};
}

}  // namespace

TEST_CASE("token pass: the bits of tensors, every family, packed weights") {
  for (const std::string& family : kFamilies) {
    ModelSource source = model("tests/golden/models/" + family);
    const KvCodec codec = codec_of({.bits = 3}, {.bits = 2});
    for (const int64_t bits : {2, 3, 4, 8}) {
      INFO(family << ", " << bits << " bits");
      CHECK(difference(source, blocks_of(source, bits, codec), {.mode = ViewMode::kPast},
                       Storage::kSimulated) == 0);
    }
  }
}

TEST_CASE("token pass: the bits of tensors, inputs quantized token by token") {
  const KvCodec codec = codec_of({.bits = 3}, {.bits = 2});
  for (const std::string family : {"llama_gqa_head_dim", "llama_bias", "qwen3"}) {
    ModelSource source = model("tests/golden/models/" + family);
    for (const char* format : {"int", "q8_0", "mxfp8"}) {
      ActivationOptions options{.bits = 8, .format = format_named(format)};
      for (const int64_t bits : {2, 3, 4, 8}) {
        INFO(family << ", " << bits << " bits, inputs " << format);
        std::vector<QuantizedBlock> blocks = blocks_of(source, bits, codec);
        for (QuantizedBlock& block : blocks)
          block.weights.visit_linears(
              [&](const char*, Linear& linear) { linear.input = ActivationQuantizer(options, 0); });
        CHECK(difference(source, blocks, {.mode = ViewMode::kPast}, Storage::kSimulated) == 0);
      }
    }
  }
}

TEST_CASE("token pass: float32 within the order of sums, every family") {
  for (const std::string& family : kFamilies) {
    ModelSource source = model("tests/golden/models/" + family);
    INFO(family);
    // Two or three blocks of sums over at most 48 products, each rounded to 6e-8.
    CHECK(difference(source, blocks_of(source, 16, {}), {.mode = ViewMode::kNone},
                     Storage::kSimulated) < 3e-6);
  }
}

TEST_CASE("token pass: the bits of tensors with packed caches, every view and codec") {
  ModelSource source = model("datasets/mini");
  const int64_t heads = source.config().kv_heads, dim = source.config().head_dim;
  const KvTensorOptions plain{.bits = 4, .group_size = 32, .scale_dtype = ScaleDtype::kFloat16};
  KvTensorOptions smooth = plain, rotated = plain, along_time = plain;
  smooth.channel = {ChannelMode::kStatic, ChannelMode::kStatic, 0.5};
  rotated.rotate = KvRotation::kHadamard;
  along_time.axis = KvAxis::kTime;
  along_time.group_size = 16;
  for (const int64_t bits : {2, 3, 8}) {
    KvTensorOptions other = plain;
    other.bits = bits;
    CHECK(difference(source, blocks_of(source, bits, codec_of(other, other)),
                     {.mode = ViewMode::kPast}, Storage::kPacked) == 0);
  }
  for (const KvViewOptions& view :
       {KvViewOptions{.mode = ViewMode::kPast}, KvViewOptions{.mode = ViewMode::kAll},
        KvViewOptions{.mode = ViewMode::kPast, .window = 4, .sinks = 2}})
    for (const KvTensorOptions& options : {plain, smooth, rotated}) {
      INFO(view.name());
      CHECK(difference(source, blocks_of(source, 4, codec_of(options, options, heads, dim)), view,
                       Storage::kPacked) == 0);
    }
  CHECK(difference(source, blocks_of(source, 4, codec_of(along_time, plain)),
                   {.mode = ViewMode::kKivi, .window = 16}, Storage::kPacked, 40) == 0);
}

TEST_CASE("token pass: many threads and sequences change no bit") {
  const at::NoGradGuard no_grad;
  ModelSource source = model("datasets/mini");
  const KvTensorOptions options{.bits = 4, .group_size = 32};
  for (const int64_t bits : {4, 16}) {
    const auto blocks = blocks_of(source, bits, codec_of(options, options));
    const at::Tensor entering =
        random_tensor({TokenPass::kMostRows, source.config().hidden_size}, 7, at::kFloat);
    const auto run = [&](int64_t threads, int64_t rows) {
      Team team(threads);
      TokenPass pass(source.config(), source.rope(), blocks, team);
      std::vector<Sequence> sequences;
      for (int64_t r = 0; r < rows; ++r)
        sequences.push_back(begin(blocks, {.mode = ViewMode::kPast}, Storage::kPacked));
      at::Tensor hidden;
      for (int64_t t = 0; t < 3; ++t) {
        hidden = entering.narrow(0, 0, rows).clone();
        std::vector<TokenPlace> places;
        for (Sequence& one : sequences) places.push_back({&one.caches, t});
        pass.step(hidden.data_ptr<float>(), places);
      }
      return hidden;
    };
    const at::Tensor all = run(3, TokenPass::kMostRows);
    for (const int64_t rows : {1, 2, 3, 7}) CHECK(at::equal(run(1, rows), all.narrow(0, 0, rows)));
  }
}

TEST_CASE("token pass: what it does not know goes through tensors") {
  ModelSource source = model("tests/golden/models/llama_gqa_head_dim");
  const auto why = [&](const std::function<void(BlockWeights&)>& change) {
    std::vector<QuantizedBlock> blocks = full_precision_blocks(source);
    change(blocks.back().weights);
    const Generator generator(source, blocks, {.mode = ViewMode::kNone});
    return generator.unsupported();
  };
  CHECK(why([](BlockWeights&) {}).empty());
  CHECK(why([](BlockWeights& w) { w.down.basis = at::eye(48); }) == "a linear in another basis");
  CHECK(why([](BlockWeights& w) { w.gate.input = ActivationQuantizer({.bits = 8}, 0); }) ==
        "an input that linears quantize in different ways");
  CHECK(why([](BlockWeights& w) {
          w.down.input = ActivationQuantizer({.bits = 8, .scale = ActivationScale::kTensor}, 3.0);
        }) == "inputs quantized by a calibrated range");
  CHECK(why([](BlockWeights& w) { w.query.observer = [](const at::Tensor&) {}; }) ==
        "an observed linear");
  CHECK(why([](BlockWeights& w) { w.up.weight = w.up.weight.to(at::kBFloat16); }) ==
        "a weight that is not float32 on the CPU");
  ModelSource half(
      std::make_shared<const Checkpoint>(test::source("tests/golden/models/llama_gqa_head_dim")),
      {.dtype = at::kBFloat16, .resident_bytes = int64_t{1} << 30});
  CHECK(Generator(half, full_precision_blocks(half), {.mode = ViewMode::kNone}).unsupported() ==
        "another type than float32");
}

TEST_CASE("token pass: a quantized input writes what it did") {
  // One sequence after the other and together.
  ModelSource source = model("datasets/mini");
  std::vector<QuantizedBlock> blocks = full_precision_blocks(source);
  for (QuantizedBlock& block : blocks)
    block.weights.down.input = ActivationQuantizer({.bits = 8}, 0);
  Generator generator(source, blocks, {.mode = ViewMode::kNone});
  const Prompt one{.tokens = {5, 6, 7}, .max_tokens = 4};
  CHECK(generator.generate({one, one}, {})[1] == generator.generate({one}, {})[0]);
}

TEST_CASE("token head: the codes of a file are its weights bit for bit, and its logits") {
  const std::filesystem::path path =
      test::shared("data/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (path.empty()) return;
  const at::NoGradGuard no_grad;
  const auto checkpoint = std::make_shared<const Checkpoint>(path);
  ModelSource source(checkpoint, {.dtype = at::kFloat});
  const std::shared_ptr<const PackedWeight> codes = stored_head(*checkpoint);
  REQUIRE(codes);
  // 8 bits and a float16 scale a group of 32.
  CHECK(codes->stored_bytes() == 49152 * 576 * 17 / 16);
  CHECK(at::equal(codes->decode(), source.embedding()));
  const at::Tensor hidden = random_tensor({3, 576}, 1, at::kFloat);
  const at::Tensor expected = source.head().logits(hidden).to(at::kDouble);
  Team team(2);
  for (const bool by_codes : {false, true}) {
    TokenHead head(source, by_codes);
    const auto logits = head.logits(team, hidden.const_data_ptr<float>(), 3);
    for (int64_t r = 0; r < 3; ++r) {
      const at::Tensor row = at::tensor(at::ArrayRef<double>(logits[static_cast<size_t>(r)]));
      // Sums of 576 products in float32.
      CHECK((row - expected[r]).abs().max().item<double>() <
            2e-6 * expected.abs().max().item<double>());
    }
  }
  const Checkpoint mini(test::source("datasets/mini"));
  CHECK(stored_head(mini) == nullptr);
}

TEST_CASE("dense products: every instruction set, any width, sums that do not depend on rows") {
  for (const int64_t in : {1, 7, 32, 83}) {
    const int64_t out = 21, rows = 7;
    const at::Tensor weight = random_tensor({out, in}, 1, at::kFloat);
    const at::Tensor x = random_tensor({rows, in}, 2, at::kFloat);
    const at::Tensor exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
    const auto product = [&](DenseKernel kernel, int64_t count) {
      at::Tensor y = at::zeros({count, out}, at::kFloat);
      const DenseProduct task{.weight = weight.const_data_ptr<float>(),
                              .in = in,
                              .x = x.const_data_ptr<float>(),
                              .x_stride = in,
                              .rows = count,
                              .y = y.data_ptr<float>(),
                              .y_stride = out};
      kernel(task, 0, 5);
      kernel(task, 5, out);
      return y;
    };
    for (const DenseKernel kernel : {dense_kernel(), DenseKernel{dense_multiply_generic}}) {
      const at::Tensor all = product(kernel, rows);
      // At most 83 products of order 1, each rounded to 6e-8 of the sum so far.
      CHECK((all.to(at::kDouble) - exact).abs().max().item<double>() < 83 * 6e-8 * 20);
      for (const int64_t count : {1, 2, 3, 5})
        CHECK(at::equal(product(kernel, count), all.narrow(0, 0, count)));
    }
  }
}

TEST_CASE("team: every index once, loops of all lengths, one after the other") {
  for (const int64_t threads : {1, 2, 5}) {
    Team team(threads);
    CHECK(team.threads() == threads);
    for (int64_t round = 0; round < 300; ++round) {
      const int64_t count = round % 40;
      std::vector<std::atomic<int>> times(static_cast<size_t>(count));
      team.run(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
      for (const auto& time : times) REQUIRE(time == 1);
    }
    if (threads > 1) CHECK_THROWS_AS(team.run(Team::kMost + 1, [](int64_t) {}), ConfigError);
  }
}
