#include "core/base/checkpoint/inspect.h"

#include "core/base/checkpoint/model_config.h"
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

TEST_CASE("inspect: the table by hand, tensor by tensor") {
  // 32 x 32 attention on 4 kv heads, 3 x 32 x 48 MLP, 2 norms of 32 in each of 2 blocks.
  const ModelConfig config = read_model_config(test::source("tests/golden/models/llama_mha"));
  REQUIRE((config.hidden_size == 32 && config.intermediate_size == 48 && config.layers == 2));
  REQUIRE((config.heads == 4 && config.kv_heads == 4 && config.vocab_size == 64));
  const std::string text = inspect_text(
      test::source("tests/golden/models/llama_mha"),
      {.weight_bits = 4, .weight_group = 8, .kv_bits = 2, .context = 1000, .batch = 3});
  require_part(text, "memory (MB = 1e6 bytes)        elements     bits         MB\n");
  // 4 + (16 + 4) / 8 bits.
  require_part(text, "attention linears                  8192    6.500      0.007\n");
  require_part(text, "MLP linears                        9216    6.500      0.007\n");
  require_part(text, "norms and biases                    160   16.000      0.000\n");
  require_part(text, "embedding                          2048   16.000      0.004\n");
  require_part(text, "head                               2048   16.000      0.004\n");
  // 2 keys and values x 2 blocks x 32 channels x 3000 tokens; 2 + 32 / 8 bits: a row is a head.
  require_part(text, "cache 3 x 1000                   384000    6.000      0.288\n");
  // (8192 + 9216) * 6.5 / 8 + (160 + 4096) * 2 + 288000 bytes.
  require_part(text, "total                            405664               0.311\n");
}

TEST_CASE("inspect: the largest cache that may be asked for does not overflow") {
  const std::string text = inspect_text(test::source("datasets/mini"),
                                        {.context = int64_t{1} << 31, .batch = int64_t{1} << 20});
  // 2 x 6 blocks x 128 channels x 2^51 tokens, 2 bytes each.
  require_part(text, "3458764513820540928   16.000 6917529027.641\n");
}

TEST_CASE("inspect refuses options out of range") {
  const std::filesystem::path model = test::source("datasets/mini");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.weight_bits = 1}), "weight bits is 1");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.kv_bits = 17}), "kv bits is 17");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.kv_group = 0}), "kv group is 0");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.context = 0}), "context is 0");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.weight_group = -2}), "weight group is -2; expected 1");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.context = (int64_t{1} << 31) + 1}),
                       "context is 2147483649; expected 1 to 2147483648");
  REQUIRE_CONFIG_ERROR(inspect_text(model, {.batch = (int64_t{1} << 20) + 1}), "batch is 1048577");
  REQUIRE_CONFIG_ERROR(inspect_text("/nonexistent", {}), "no such folder '/nonexistent'");
}

}  // namespace wkvq
