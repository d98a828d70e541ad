#include "core/base/inspect.h"

#include "tests/support/catch.h"

namespace wkvq {
namespace {

void require_part(const std::string& text, const std::string& part) {
  INFO(text);
  REQUIRE(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("inspect describes the embedded model") {
  const std::string text = inspect_text(
      test::source("datasets/mini"),
      {.weight_bits = 4, .weight_group = 128, .kv_bits = 4, .kv_group = 64, .context = 512});
  require_part(text, "family       llama\n");
  require_part(text, "4 of 64 channels, 2 for keys and values");
  require_part(text, "tied head");
  // 4096 x 256 embedding, 6 blocks of (2 x 256 + 2 x 128 + 3 x 704) x 256 and norms.
  require_part(text, "parameters   5475584\n");
  require_part(text, "10.957 MB, F16");
  require_part(text, "4.156");  // 4 + (16 + 4) / 128
  require_part(text, "4.500");  // 4 + 32 / 64
  require_part(text, "cache 1 x 512");
}

TEST_CASE("inspect names windows, scalings, biases and norms") {
  const std::filesystem::path models = test::source("tests/golden/models");
  require_part(inspect_text(models / "qwen2_window", {}), "sliding window 6 from block 1");
  require_part(inspect_text(models / "qwen2_window", {}), "bias on q k v");
  require_part(inspect_text(models / "llama_llama3", {}), "llama3, factor 8, low 1, high 4");
  require_part(inspect_text(models / "llama_dynamic", {}), "dynamic, factor 2");
  require_part(inspect_text(models / "qwen3_sharded_f16", {}), "norm on q and k");
}

TEST_CASE("inspect refuses options out of range") {
  const std::filesystem::path model = test::source("datasets/mini");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.weight_bits = 1}), "weight bits is 1");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.kv_bits = 17}), "kv bits is 17");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.kv_group = 0}), "kv group is 0");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.context = 0}), "context is 0");
  REQUIRE_CONFIG_ERROR(inspect_text("/nonexistent", {}), "config.json: no such file");
}

}  // namespace wkvq
