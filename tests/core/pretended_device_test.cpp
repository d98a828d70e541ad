#include "tests/support/pretended_device.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;
using test::pretended_device;

// Host code with tensors on a device, without one: see the header of the pretended device.
namespace {

const char* const kGqa = "tests/golden/models/llama_gqa_head_dim";
const char* const kMqa = "tests/golden/models/llama_mqa";

struct Setting {
  at::ScalarType dtype = at::kDouble;
  at::Device device = at::kCPU;
  Storage storage = Storage::kSimulated;
  bool activations_on_host = false;
  int64_t resident_bytes = int64_t{1} << 30;
};

struct Outcome {
  at::Tensor one_pass, full, decoded;  // [batch, seq, hidden], on the CPU
};

std::vector<at::Tensor> calibration_text() {
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < 2; ++i)
    batches.push_back((at::arange(32, at::kLong) * 7 + 5 * i).fmod(64).view({2, 16}));
  return batches;
}

/// A method's blocks, a batch that went through them in one pass and token by token.
Outcome outcome(const std::string& text, const std::string& model, const Setting& setting) {
  const at::NoGradGuard no_grad;
  ModelSource source(std::make_shared<const Checkpoint>(test::source(model)),
                     {.dtype = setting.dtype,
                      .device = setting.device,
                      .resident_bytes = setting.resident_bytes,
                      .activations_on_host = setting.activations_on_host});
  CalibrationChain chain(source, calibration_text(), 0);
  const std::unique_ptr<Method> method = test::method_of(text);
  method->check(source.config());
  const at::Tensor tokens = (at::arange(24, at::kLong) * 11 + 3).fmod(64).view({2, 12});
  const at::Tensor hidden = source.rest(source.embed(tokens));
  const KvViewOptions view = method->kv().view;
  BlockPass pass{.streams = {{.batches = {{hidden, view}}},
                             {.full_precision = true, .batches = {{hidden, {}}}}},
                 .calibration = &chain,
                 .keep_blocks = true};
  test::MemoryRecorder recorder;
  run_blocks(source, *method, pass, recorder);
  Decoder decoder(source, pass.blocks, view, setting.storage);
  std::vector<at::Tensor> steps;
  for (int64_t t = 0, n = std::max<int64_t>(1, view.prefill); t < tokens.size(1); t += n, n = 1)
    steps.push_back(decoder.step(tokens.narrow(1, t, n)).to(at::kCPU));
  return {pass.streams[0].batches[0].hidden.to(at::kCPU),
          pass.streams[1].batches[0].hidden.to(at::kCPU), at::cat(steps, 1)};
}

/// |a - b| / |b|, Frobenius.
double apart(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kCPU, at::kDouble), y = b.to(at::kCPU, at::kDouble);
  return ((x - y).square().sum() / y.square().sum()).sqrt().item<double>();
}

}  // namespace

TEST_CASE("pretended device: operations are the CPU's, and mixing with the CPU throws") {
  const at::Tensor x = test::random_tensor({3, 4}, 1), y = x.to(pretended_device());
  REQUIRE(!y.is_cpu());
  // Sums of four products, in whatever order.
  REQUIRE(apart(at::matmul(y, y.t()), at::matmul(x, x.t())) < 1e-15);
  REQUIRE(at::equal(y.narrow(1, 1, 2).add(1).to(at::kCPU), x.narrow(1, 1, 2) + 1));
  REQUIRE_THROWS_WITH(y + x, Catch::Contains("pretended:0 and cpu"));
  REQUIRE_THROWS_WITH(at::matmul(y, x.t()), Catch::Contains("device"));
  REQUIRE_THROWS_WITH(at::cat({y, x}), Catch::Contains("on the CPU"));
  // As on a GPU: numbers, copies and indices.
  REQUIRE(at::equal((y * at::scalar_tensor(2.0, at::kDouble)).to(at::kCPU), 2 * x));
  const at::Tensor order = at::tensor({2, 0}, at::kLong);
  REQUIRE(at::equal(y.index({order}).to(at::kCPU), x.index({order})));
  REQUIRE_THROWS_WITH(y.index_select(0, order), Catch::Contains("on the CPU"));
  REQUIRE_THROWS_WITH(x.index({order.to(pretended_device())}),
                      Catch::Contains("indices should be"));
  at::Tensor target = at::zeros({3, 4}, at::kDouble);
  target.copy_(y);
  REQUIRE(at::equal(target, x));
}

TEST_CASE("pretended device: a host read of its memory ends the program") {
  const at::Tensor x = at::ones({4}, at::device(pretended_device()));
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    const volatile float* const data = static_cast<const float*>(x.const_data_ptr());
    _exit(data[0] == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

TEST_CASE("pretended device: gradients") {
  const at::AutoGradMode with_gradients(true);
  const at::Tensor x = test::random_tensor({5, 3}, 2);
  const auto gradient = [&](at::Device device) {
    const at::Tensor leaf = x.to(device).requires_grad_();
    const at::Tensor loss = at::softmax(at::silu(leaf), 1).square().sum();
    return torch::autograd::grad({loss}, {leaf})[0].to(at::kCPU);
  };
  // The derivative of silu is computed there in single operations: a few roundings.
  REQUIRE(apart(gradient(pretended_device()), gradient(at::kCPU)) < 1e-14);
}

TEST_CASE("pretended device: every method calibrates, evaluates and decodes as on the CPU") {
  // float64, where nothing but the order of sums differs, and form minimum: a range that AWQ has
  // clipped to -m ... m would put a zero point exactly between two integers, for the last bit to
  // decide (docs/design.md, section 3).
  for (const std::string& name : method_names()) {
    const std::string text = fmt::format(
        "{{name: {}, weight: {{bits: 4, group_size: 16, form: minimum}}, activation: {{bits: 8}}, "
        "kv: {{bits: 4}}}}",
        name);
    const Outcome expected = outcome(text, kGqa, {}),
                  found = outcome(text, kGqa, {.device = pretended_device()});
    INFO(name);
    CHECK(apart(found.full, expected.full) < 1e-12);
    CHECK(apart(found.one_pass, expected.one_pass) < 1e-9);
    CHECK(apart(found.decoded, expected.decoded) < 1e-9);
    CHECK(apart(found.one_pass, found.full) > 1e-4);
  }
}

TEST_CASE("pretended device: options of methods and codecs that look at other streams") {
  for (const auto& [model, text] : std::vector<std::pair<const char*, const char*>>{
           {kGqa,
            "{name: wkvquant, weight: {bits: 3, group_size: 16, form: minimum}, clip_start: "
            "search, "
            "training: {epochs: 2, batch: 2}, loss: {kind: huber, local_weight: 0.5}}"},
           {kMqa,
            "{name: omniquant, weight: {bits: 4, group_size: 16, form: minimum}, "
            "activation: {bits: 4}, training: {epochs: 1}, kv: {bits: 3, grid: nuq, "
            "fit_weights: fisher, q_norm: true, key: {rope: before, range: static}}}"},
           {kMqa,
            "{name: omniquant, weight: {bits: 4, group_size: 16, form: minimum}, "
            "activation: {bits: 4}, learn_transform: true, training: {epochs: 1}}"},
           {kGqa,
            "{name: gptq, act_order: true, static_groups: true, "
            "weight: {bits: 4, group_size: 16, form: minimum}, "
            "kv: {bits: 3, channel: {shift: static, scale: static}, view: {window: 2, sinks: 1}}}"},
           {kGqa,
            "{name: rotation, rounding: gptq, weight: {bits: 4, group_size: 16, form: minimum}, "
            "kv: {bits: 3, view: {mode: all}}}"},
           {kGqa, "{name: rtn, weight: {bits: 16}, kv: {bits: 3, view: {mode: past, prefill: 5}}}"},
           {kGqa, "{name: rtn, weight: {bits: 4, form: minimum}, kv: {view: {mode: none}}}"},
           {kGqa, "{name: kivi, kv: {key: {group_size: 4}, view: {window: 4}}}"},
           {kGqa, "{name: kvquant, kv: {bits: 3, value: {outliers: 0.2}, key: {outliers: 0}}}"}}) {
    const Outcome expected = outcome(text, model, {}),
                  found = outcome(text, model, {.device = pretended_device()});
    INFO(text);
    CHECK(apart(found.one_pass, expected.one_pass) < 1e-9);
    CHECK(apart(found.decoded, expected.decoded) < 1e-9);
  }
}

TEST_CASE("pretended device: float32 and half types through the device's attention kernels") {
  // In full precision the two differ by the order of sums. Where caches and weights are quantized a
  // code may fall to the other side. That moves a value by one step, and quantizing moves every
  // value by up to half a step: two runs differ by at most about twice what quantizing itself
  // costs.
  const char* const text =
      "{name: wkvquant, weight: {bits: 8, group_size: 16, form: minimum}, kv: {bits: 8}, "
      "training: {epochs: 1}}";
  for (const auto& [dtype, close] : std::vector<std::pair<at::ScalarType, double>>{
           {at::kFloat, 1e-5}, {at::kHalf, 0.02}, {at::kBFloat16, 0.1}}) {
    const Outcome expected = outcome(text, kGqa, {.dtype = dtype}),
                  found = outcome(text, kGqa, {.dtype = dtype, .device = pretended_device()});
    const double flips = 2 * apart(expected.one_pass, expected.full);
    INFO(toString(dtype) << ", flips " << flips);
    CHECK(apart(found.full, expected.full) < close);
    CHECK(apart(found.one_pass, expected.one_pass) < close + flips);
    CHECK(apart(found.decoded, expected.decoded) < close + flips);
  }
}

TEST_CASE("pretended device: blocks streamed from the host, states waiting there") {
  const char* const text = "{name: gptq, weight: {bits: 4, group_size: 16, form: minimum}}";
  const Setting plain{.device = pretended_device()};
  Setting streamed = plain;
  streamed.resident_bytes = 0;
  streamed.activations_on_host = true;
  const Outcome expected = outcome(text, kGqa, plain), found = outcome(text, kGqa, streamed);
  REQUIRE(at::equal(found.one_pass, expected.one_pass));
  REQUIRE(at::equal(found.full, expected.full));
  REQUIRE(at::equal(found.decoded, expected.decoded));
}

TEST_CASE("pretended device: a packed cache decodes what the simulated one does") {
  for (const char* const text :
       {"{name: rtn, weight: {bits: 16}, kv: {bits: 4, group_size: 32, scale_dtype: float16, "
        "channel: {shift: static, scale: static}}}",
        "{name: rtn, weight: {bits: 16}, kv: {bits: 3, view: {window: 3, sinks: 2}}}",
        "{name: rtn, weight: {bits: 16}, kv: {bits: 8, view: {mode: all}}}",
        "{name: kivi, kv: {bits: 4, key: {group_size: 16}, view: {window: 16}}}"}) {
    const Setting simulated{.dtype = at::kFloat, .device = pretended_device()};
    Setting packed = simulated;
    packed.storage = Storage::kPacked;
    const Outcome expected = outcome(text, "datasets/mini", simulated),
                  found = outcome(text, "datasets/mini", packed);
    INFO(text);
    // Two kernels in float32: some roundings of 6e-8 in each of six blocks.
    CHECK(apart(found.decoded, expected.decoded) < 1e-5);
  }
}
