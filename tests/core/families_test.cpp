#include <fmt/format.h>

#include "core/model/model_source.h"
#include "tests/support/catch.h"
#include "tests/support/model_logits.h"
#include "tests/support/tensors.h"

namespace wkvq {

using test::golden;
using test::largest_difference;
using test::logits;

TEST_CASE("logits of every family agree with Hugging Face transformers") {
  const at::NoGradGuard no_grad;
  const std::string name =
      GENERATE(as<std::string>(), "llama_mha", "llama_gqa_head_dim", "llama_mqa", "llama_llama3",
               "llama_linear", "llama_dynamic", "llama_bias", "tinyllama_tied", "mistral_window",
               "qwen2_tied", "qwen2_window", "qwen3", "llama_sharded_bf16", "qwen3_sharded_f16");
  INFO(name);
  const std::filesystem::path folder = test::source("tests/golden/models") / name;
  const auto checkpoint = std::make_shared<const Checkpoint>(folder);
  const SafetensorsFile file(folder / "golden.safetensors");
  const at::Tensor tokens = golden(file, "tokens", at::kInt);

  // Both sides round in float32; logits are of order 1 and 2-3 blocks deep (seen: 1e-5).
  ModelSource single(checkpoint, {.dtype = at::kFloat, .device = at::kCPU, .resident_bytes = 0});
  CHECK(largest_difference(logits(single, tokens), golden(file, "logits_f32", at::kFloat)) < 1e-4);

  // float64 throughout on both sides: only summation order differs.
  ModelSource exact(checkpoint,
                    {.dtype = at::kDouble, .device = at::kCPU, .resident_bytes = int64_t{1} << 30});
  CHECK(exact.resident());
  CHECK(largest_difference(logits(exact, tokens), golden(file, "logits_f64", at::kDouble)) < 1e-10);
}

TEST_CASE("the reference perplexity of stories260K is reproduced in float64") {
  const std::filesystem::path model = test::shared("data/models/stories260K");
  const std::filesystem::path file = test::shared("reference/stories260K_tokens.safetensors");
  if (model.empty() || file.empty()) return;
  const at::NoGradGuard no_grad;
  ModelSource source(
      std::make_shared<const Checkpoint>(model),
      {.dtype = at::kDouble, .device = at::kCPU, .resident_bytes = int64_t{1} << 30});
  const SafetensorsFile windows(file);
  const TensorEntry& entry = windows.at("test");
  const at::Tensor tokens =
      golden(windows, "test", entry.dtype == "I64" ? at::kLong : at::kInt).to(at::kLong);
  REQUIRE(entry.shape == std::vector<int64_t>{32, 256});
  const at::Tensor predicted = at::log_softmax(logits(source, tokens), -1).narrow(1, 0, 255);
  const at::Tensor truth = tokens.narrow(1, 1, 255).unsqueeze(2);
  const double mean_nll = -predicted.gather(2, truth).mean().item<double>();
  // The row "none" of the reference; summation order leaves far less than 1e-9.
  CHECK(std::exp(mean_nll) == Approx(4.315964914286331).epsilon(1e-9));
}

}  // namespace wkvq
