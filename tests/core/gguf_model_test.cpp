#include <fmt/format.h>

#include <cmath>

#include "core/base/checkpoint/model_tensors.h"
#include "core/base/gguf/gguf_types.h"
#include "core/model/gguf_tensor.h"
#include "core/model/model_source.h"
#include "tests/support/catch.h"
#include "tests/support/model_logits.h"
#include "tests/support/tensors.h"

namespace wkvq {
namespace {

using test::golden;
using test::largest_difference;
using test::logits;

std::filesystem::path gguf_path(const std::string& name) {
  const bool parts = name == "tinyllama_tied";
  return test::source("tests/golden/gguf/" + name + (parts ? "-00001-of-00002.gguf" : ".gguf"));
}

/// `rows` rows of random Q4_0 blocks with scales between 1/16 and 1.
std::string random_blocks(int64_t blocks) {
  std::string bytes;
  uint32_t state = 1;
  const auto next = [&] { return static_cast<char>((state = state * 1664525 + 1013904223) >> 24); };
  for (int64_t i = 0; i < blocks; ++i) {
    bytes += next();
    bytes += static_cast<char>(0x2C + (next() & 0x0F));
    for (int k = 0; k < 16; ++k) bytes += next();
  }
  return bytes;
}

}  // namespace

TEST_CASE("weights of a GGUF model equal those of the folder it was made of bit for bit") {
  const std::string name = GENERATE(as<std::string>(), "llama_llama3", "llama_linear", "llama_bias",
                                    "tinyllama_tied", "qwen2_tied", "qwen3");
  INFO(name);
  const Checkpoint folder(test::source("tests/golden/models") / name);
  const Checkpoint file(gguf_path(name));
  std::vector<TensorSpec> specs = outer_tensors(folder.config());
  for (int64_t layer = 0; layer < folder.config().layers; ++layer) {
    for (const TensorSpec& spec : block_tensors(folder.config(), layer)) specs.push_back(spec);
  }
  for (const TensorSpec& spec : specs) {
    INFO(spec.name);
    CHECK(at::equal(file.load(spec.name, spec.shape, at::kDouble, at::kCPU),
                    folder.load(spec.name, spec.shape, at::kDouble, at::kCPU)));
  }
  const at::Tensor ids = at::tensor({3, 0, 5}, at::kLong);
  CHECK(at::equal(file.load_rows(specs[0].name, ids, at::kFloat, at::kCPU),
                  folder.load_rows(specs[0].name, ids, at::kFloat, at::kCPU)));
}

TEST_CASE("logits of GGUF models agree with Hugging Face transformers") {
  const at::NoGradGuard no_grad;
  const std::string name = GENERATE(as<std::string>(), "llama_llama3", "llama_linear", "llama_bias",
                                    "tinyllama_tied", "qwen2_tied", "qwen3");
  INFO(name);
  const SafetensorsFile expected(test::source("tests/golden/models") / name / "golden.safetensors");
  ModelSource source(std::make_shared<const Checkpoint>(gguf_path(name)), {.dtype = at::kDouble});
  const at::Tensor result = logits(source, golden(expected, "tokens", at::kInt));
  // GGUF keeps the norm's epsilon, and the factors of llama3, as float32: 6e-8 of their size.
  CHECK(largest_difference(result, golden(expected, "logits_f64", at::kDouble)) < 1e-5);
}

TEST_CASE("blocks are decoded in every dtype, whole and row by row") {
  // More than one chunk of 2^22 elements, the last one not full.
  const int64_t rows = 2100, columns = 2048;
  const std::string bytes = random_blocks(rows * columns / 32);
  const TensorEntry entry{
      "t", "Q4_0", {rows, columns}, reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
  REQUIRE(in_blocks(entry));
  const at::Tensor single = decode_blocks(entry, at::kFloat);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  std::vector<float> block(32);
  for (const int64_t at : {int64_t{0}, int64_t{77}, rows * columns / 32 - 1}) {
    find_gguf_type("Q4_0")->decode(data + at * 18, block.data());
    CHECK(at::equal(single.view({-1}).narrow(0, at * 32, 32),
                    at::tensor(at::ArrayRef<float>(block))));
  }
  for (const at::ScalarType dtype : {at::kDouble, at::kBFloat16, at::kHalf}) {
    CHECK(at::equal(decode_blocks(entry, dtype), single.to(dtype)));
  }
  const at::Tensor ids = at::tensor({2099, 0, 77}, at::kLong);
  CHECK(at::equal(decode_block_rows(entry, ids, at::kBFloat16),
                  single.index_select(0, ids).to(at::kBFloat16)));
}

TEST_CASE("rows in pairs by hand") {
  // Two heads of 4 channels; the file has channels 0 2 1 3 of each.
  const at::Tensor stored = at::tensor({0, 2, 1, 3, 10, 12, 11, 13}, at::kFloat);
  CHECK(at::equal(separate_pairs(stored, 4), at::tensor({0, 1, 2, 3, 10, 11, 12, 13}, at::kFloat)));
  const at::Tensor matrix = stored.unsqueeze(1).repeat({1, 3});
  CHECK(at::equal(separate_pairs(matrix, 4).select(1, 2), separate_pairs(stored, 4)));
}

TEST_CASE("logits of SmolLM2-135M equal an independent float64 implementation") {
  const std::filesystem::path path =
      test::shared("data/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (path.empty()) return;
  const at::NoGradGuard no_grad;
  const SafetensorsFile expected(test::source("tests/golden/gguf/smollm2_135m.safetensors"));
  ModelSource source(std::make_shared<const Checkpoint>(path), {.dtype = at::kDouble});
  const at::Tensor tokens = golden(expected, "tokens", at::kInt).unsqueeze(0);
  const at::Tensor result = logits(source, tokens)[0];
  const auto index = [&](const char* name) {
    return golden(expected, name, at::kInt).to(at::kLong);
  };
  // Both in float64 from equal float32 weights: only the order of sums differs, over logits up to
  // 30 and 30 blocks.
  CHECK(largest_difference(result.index_select(1, index("columns")),
                           golden(expected, "logits", at::kDouble)) < 1e-9);
  CHECK(largest_difference(result.gather(1, index("top")),
                           golden(expected, "top_logits", at::kDouble)) < 1e-9);
  CHECK(largest_difference(result.logsumexp(1), golden(expected, "log_sum", at::kDouble)) < 1e-9);
}

}  // namespace wkvq
