#include <sstream>

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "experiments/commands/commands.h"
#include "experiments/run/learned_files.h"
#include "methods/common/block_training.h"
#include "methods/common/learned_block.h"
#include "tests/support/block_fixture.h"
#include "tests/support/npy.h"
#include "tests/support/run_files.h"

using namespace wkvq;

namespace {

const char* const kGqa = "tests/golden/models/llama_gqa_head_dim";

/// Random values in place of the initial ones.
void shake(LearnedBlock& block, double size) {
  LearnedParameters random;
  uint64_t seed = 50;
  for (const auto& [name, value] : block.parameters())
    random[name] = value + size * test::random_tensor(value.sizes(), seed++);
  block.assign(random);
}

LearnedOptions cache_options(int64_t bits) {
  LearnedOptions options;
  options.kv.both.bits = bits;
  options.kv.both.channel = {ChannelMode::kLearned, ChannelMode::kLearned, 0.5};
  options.kv.key = options.kv.value = options.kv.both;
  options.learn.clip = false;
  return options;
}

}  // namespace

TEST_CASE("learned block: the equivalent transformation alone is the identity, every family") {
  for (const char* model : {kGqa, "tests/golden/models/llama_bias", "tests/golden/models/llama_mqa",
                            "tests/golden/models/qwen3", "tests/golden/models/qwen2_tied"}) {
    test::BlockFixture fixture(model);
    QuantizedBlock full{fixture.model().block(1), {}};
    const BlockContext context = fixture.context(1, full);
    LearnedOptions options;
    options.learn = {.clip = false, .transform = true};
    LearnedBlock block(context, options);
    shake(block, 0.7);
    const at::NoGradGuard no_grad;
    const QuantizedBlock built = block.build();
    CHECK(!at::equal(built.weights.query.weight, full.weights.query.weight));
    INFO(model);
    for (const at::Tensor& hidden : fixture.inputs(1)) {
      const at::Tensor exact = fixture.output(full.weights, 1, hidden);
      // The project's bound for equivalent transformations in float64.
      CHECK((fixture.output(built.weights, 1, hidden) - exact).abs().max().item<double>() < 1e-9);
    }
  }
}

TEST_CASE("learned block: channels of shift 0 and scale 1 are plain token-wise rounding") {
  test::BlockFixture fixture(kGqa);
  QuantizedBlock full{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, full);
  const LearnedOptions options = cache_options(3);
  LearnedBlock block(context, options);
  LearnedParameters neutral;
  for (const auto& [name, value] : block.parameters()) neutral[name] = at::zeros_like(value);
  block.assign(neutral);
  const at::Tensor x = test::random_tensor({2, 2, 9, 12}, 3);
  const KvTensorCodec plain{KvTensorOptions{.bits = 3}, ChannelTransform()};
  REQUIRE(at::equal(block.build().codec.key.fake(x), plain.fake(x)));
}

TEST_CASE("learned block: a shift equal to an offset of all tokens leaves the codes as they were") {
  const at::Tensor x = test::random_tensor({1, 2, 9, 12}, 4);
  const at::Tensor offset = test::random_tensor({2, 12}, 5) * 10;
  const KvTensorCodec plain{KvTensorOptions{.bits = 4}, ChannelTransform()};
  const KvTensorCodec shifted{KvTensorOptions{.bits = 4}, ChannelTransform{offset, {}}};
  const at::Tensor moved = x + offset.unsqueeze(0).unsqueeze(2);
  // Adding and subtracting 10 in float64 costs an ulp of 10.
  REQUIRE(((shifted.fake(moved) - moved) - (plain.fake(x) - x)).abs().max().item<double>() < 1e-13);
}

TEST_CASE("learned block: rank-one keys are exact with their own scale") {
  // K[t, c] = a_c z_t: divided by a every token is constant, which form B stores exactly.
  const at::Tensor a = test::random_tensor({1, 16}, 6).abs() + 0.1;
  const at::Tensor z = test::random_tensor({1, 1, 7, 1}, 7);
  const at::Tensor keys = z * a.view({1, 1, 1, 16});
  const KvTensorCodec codec{KvTensorOptions{.bits = 2}, ChannelTransform{{}, a}};
  // One division and one multiplication.
  REQUIRE((codec.fake(keys) - keys).abs().max().item<double>() < 1e-14);
}

TEST_CASE("training: gradient through frozen following blocks by central differences") {
  test::BlockFixture fixture("tests/golden/models/qwen2_window");  // three blocks
  const BlockWeights first = fixture.model().block(0), second = fixture.model().block(1),
                     third = fixture.model().block(2);
  const at::Tensor hidden = fixture.inputs(0)[0];
  const at::Tensor logit = at::zeros({first.value.weight.size(0)}, at::kDouble).requires_grad_();
  const auto loss = [&] {
    BlockWeights scaled = first;
    scaled.value.weight = first.value.weight * logit.exp().unsqueeze(1);
    at::Tensor x = fixture.output(scaled, 0, hidden);
    x = fixture.output(second, 1, x);
    return fixture.output(third, 2, x).square().mean();
  };
  loss().backward();
  CHECK(!second.value.weight.grad().defined());
  const at::NoGradGuard no_grad;
  for (const int64_t i : {0L, 7L}) {
    const double step = 1e-5;
    logit[i].fill_(step);
    const double up = loss().item<double>();
    logit[i].fill_(-step);
    const double down = loss().item<double>();
    logit[i].fill_(0);
    // Error of the step: its square times third derivatives near 1.
    CHECK(logit.grad()[i].item<double>() == Approx((up - down) / (2 * step)).margin(1e-9));
  }
}

TEST_CASE("training: the loss before is the plain distance, training lowers it, twice the same") {
  for (const int64_t following : {0, 1}) {
    test::BlockFixture fixture(kGqa);
    QuantizedBlock full{fixture.model().block(0), {}};
    const BlockContext context = fixture.context(0, full);
    LearnedOptions options = cache_options(3);
    options.weight.bits = 2;
    options.learn.clip = true;
    options.training = {.epochs = 6, .clip_rate = 1e-1, .channel_rate = 2e-2};
    const TrainingOptions& training = options.training;
    const LossOptions loss{.kind = LossKind::kMae, .following_blocks = following};
    LearnedBlock block(context, options), again(context, options);
    const QuantizedBlock initial = block.build();
    double sum = 0;
    for (const at::Tensor& hidden : fixture.inputs(0)) {
      at::Tensor x = forward_block(context.model, 0, initial.weights, context.rope, hidden, 0,
                                   attention_of(initial.codec, {.mode = ViewMode::kPast}));
      if (following == 1) x = fixture.output(fixture.model().block(1), 1, x);
      const at::Tensor& target =
          fixture.chain().entering(1 + following)[&hidden - fixture.inputs(0).data()];
      sum += (x - target).detach().abs().mean().item<double>();
    }
    const TrainingReport report = train_block(context, block, training, loss, {});
    INFO("following blocks " << following);
    CHECK(report.first == Approx(sum / 2).epsilon(1e-12));
    // Random weights leave little to learn; what there is must be found.
    CHECK(report.last < 0.99 * report.first);
    CHECK(report.loss.size() == 6);
    CHECK(report.events.empty());
    train_block(context, again, training, loss, {});
    for (const auto& [name, value] : block.parameters())
      CHECK(at::equal(value, again.parameters().at(name)));
  }
}

TEST_CASE("training: a loss that is not finite rolls back and keeps the initial parameters") {
  test::BlockFixture fixture(kGqa);
  QuantizedBlock full{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, full);
  const LearnedOptions options = cache_options(3);
  LearnedBlock block(context, options), untouched(context, options);
  LearnedOptions wild = cache_options(3);
  wild.training.channel_rate = 1e200;
  LearnedBlock unstable(context, wild);
  const TrainingReport report = train_block(context, unstable, {.epochs = 2}, {}, {});
  CHECK(report.events.size() >= 2);
  CHECK(report.last == report.first);
  for (const auto& [name, value] : untouched.parameters())
    CHECK(at::equal(value, unstable.parameters().at(name)));
}

TEST_CASE("training: every step moves the progress of the pass") {
  test::BlockFixture fixture(kGqa);  // four samples
  const auto method = test::method_of(
      "{name: wkvquant, weight: {group_size: -1}, training: {epochs: 2, batch: 2}}");
  BlockPass pass;
  pass.calibration = &fixture.chain();
  std::vector<double> told;
  pass.on_share = [&](double done) { told.push_back(done); };
  pass.on_block = [&](int64_t done) { told.push_back(100.0 + static_cast<double>(done)); };
  run_blocks(fixture.model(), *method, pass, fixture.recorder());
  const std::vector<double> expected{0.25, 0.5, 0.75, 1, 101, 1.25, 1.5, 1.75, 2, 102};
  CHECK(told == expected);
}

TEST_CASE("training: what clipping has to learn, the analytic case") {
  // The analytic case of the notes: 16 zeros, 300 ones, one 10 in 2 bits; best ratio 0.32.
  const at::Tensor row = at::cat({at::zeros({1, 16}, at::kDouble), at::ones({1, 300}, at::kDouble),
                                  at::full({1, 1}, 10.0, at::kDouble)},
                                 1);
  const at::Tensor few = at::cat({at::zeros({1, 16}, at::kDouble), at::ones({1, 31}, at::kDouble),
                                  at::full({1, 1}, 10.0, at::kDouble)},
                                 1);
  const auto error = [](const at::Tensor& x, double ratio) {
    const ClipRatios clip{at::full({1, 1}, ratio, at::kDouble), at::ones({1, 1}, at::kDouble)};
    return (fake_quantize_clipped(x, clip, {.bits = 2}) - x).square().sum().item<double>();
  };
  CHECK(error(row, 1.0) == Approx(300));
  CHECK(error(row, 0.32) == Approx(47.6).margin(0.1));
  for (int i = 1; i < 1000; ++i) {
    CHECK(error(row, i / 1000.0) >= error(row, 0.32) - 0.1);
    CHECK(error(few, i / 1000.0) >= error(few, 1.0));
  }
}

namespace {

std::string sweep_text(const std::filesystem::path& folder, const std::string& more) {
  return fmt::format(
      "name: learned\nmodel: {{path: {}}}\n"
      "calibration: {{dataset: {{name: tokens, path: {}}}, samples: 4, length: 16{}}}\n"
      "method: {{name: wkvquant, weight: {{bits: 4, group_size: 16}}, training: {{epochs: 2}}}}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {{name: tokens, path: {}}}, name: test}}\n",
      test::source(kGqa).string(), (folder / "tokens.npy").string(), more,
      (folder / "tokens.npy").string());
}

/// Runs the sweep and returns its only run file.
std::filesystem::path run_sweep(const std::filesystem::path& folder, const std::string& results,
                                const std::string& more = "") {
  test::write_file(folder / "sweep.yaml", sweep_text(folder, more));
  std::ostringstream out;
  REQUIRE(run_command({.file = folder / "sweep.yaml", .results = folder / results}, out) == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / results / "learned"))
    if (entry.path().extension() == ".h5") return entry.path();
  FAIL("no run file");
  return {};
}

}  // namespace

TEST_CASE("training: a resumed run and one that reuses parameters give the same bits") {
  const test::TemporaryFolder folder;
  std::vector<std::vector<int32_t>> windows(4, std::vector<int32_t>(16));
  for (size_t i = 0; i < 64; ++i) windows[i / 16][i % 16] = static_cast<int32_t>(i * i % 61);
  test::write_npy(folder / "tokens.npy", windows);
  const auto whole = run_sweep(folder.path(), "whole");
  const auto column = [](const std::filesystem::path& path) {
    return std::get<std::vector<float>>(
        hdf5::Reader(path).column("/evaluation/perplexity.test", "nll"));
  };
  const auto losses = [](const std::filesystem::path& path, const std::string& block) {
    return std::get<std::vector<double>>(
        hdf5::Reader(path).column("/calibration/" + block, "loss"));
  };

  // What a run killed after its first block leaves behind; a mark in its report shows that it was
  // read, not trained again.
  const std::filesystem::path resumed_path = folder / "resumed/learned" / whole.filename().string();
  LearnedFiles source({}, whole), partial(resumed_path.string() + ".partial", {});
  LearnedParameters first = *source.load(0);
  first["training.loss"] = at::tensor({7.0, 8.0}, at::kDouble);
  partial.save(0, first);
  const auto resumed = run_sweep(folder.path(), "resumed");
  REQUIRE(resumed == resumed_path);
  CHECK(column(resumed) == column(whole));
  CHECK(losses(resumed, "block_00") == std::vector<double>{7.0, 8.0});
  CHECK(losses(resumed, "block_01") == losses(whole, "block_01"));
  CHECK(!std::filesystem::exists(resumed_path.string() + ".partial"));

  const auto reused = run_sweep(folder.path(), "reused", ", from: " + whole.string());
  CHECK(column(reused) == column(whole));
  CHECK(hdf5::Reader(reused).datasets("/calibration/block_00").empty());
}

TEST_CASE("training: parameters from a file that has none, or others, are refused by name") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(run_with_parameters(folder / "none.h5", "", 2),
                    Catch::Contains("none.h5") && Catch::Contains("expected a run file"));
  test::BlockFixture fixture(kGqa);
  QuantizedBlock full{fixture.model().block(0), {}};
  LearnedBlock block(fixture.context(0, full), cache_options(3));
  CHECK_THROWS_WITH(block.assign({}), Catch::Contains("key.log_scale"));
}
