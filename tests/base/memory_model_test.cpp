#include "core/base/checkpoint/memory_model.h"

#include "tests/support/catch.h"

namespace wkvq {
namespace {

ModelConfig llama2(int64_t hidden, int64_t mlp, int64_t layers, int64_t heads) {
  ModelConfig config;
  config.family = "llama";
  config.hidden_size = hidden;
  config.intermediate_size = mlp;
  config.layers = layers;
  config.heads = config.kv_heads = heads;
  config.head_dim = hidden / heads;
  config.vocab_size = 32000;
  return config;
}

// The published numbers have two or three decimals, in GB = 1e9 bytes.
constexpr double kGigabyte = 1e9;
constexpr double kRounding = 0.006;

double total(const ModelConfig& config, double weight_bits, double kv_bits) {
  const MemoryBytes bytes =
      memory_of(config, {.weight_bits = weight_bits, .kv_bits = kv_bits, .context = 2048});
  return (bytes.total() - bytes.norms) / kGigabyte;
}

}  // namespace

TEST_CASE("parameters of LLaMA-2-7B") {
  const ParameterCounts counts = count_parameters(llama2(4096, 11008, 32, 32));
  CHECK(counts.attention == 32 * 4 * int64_t{4096} * 4096);
  CHECK(counts.mlp == 32 * 3 * int64_t{4096} * 11008);
  CHECK(counts.norms == (2 * 32 + 1) * 4096);
  CHECK(counts.total() == 6'738'415'616);  // as its model card's safetensors total says
}

TEST_CASE("a tied head is not counted twice, biases and q/k norms are counted") {
  ModelConfig config = llama2(8, 16, 2, 2);
  config.tie_embeddings = true;
  config.qkv_bias = config.qk_norm = true;
  const ParameterCounts counts = count_parameters(config);
  CHECK(counts.head == 0);
  CHECK(counts.norms == 2 * (2 * 8 + 3 * 8 + 2 * 4) + 8);
}

TEST_CASE("memory of LLaMA-2 at 2048 tokens") {
  const ModelConfig small = llama2(4096, 11008, 32, 32);
  const MemoryBytes bytes = memory_of(small, {.context = 2048});
  CHECK((bytes.attention + bytes.mlp) / kGigabyte == Approx(12.95).margin(kRounding));
  CHECK((bytes.embedding + bytes.head) / kGigabyte == Approx(0.524).margin(kRounding));
  CHECK(bytes.kv / kGigabyte == Approx(1.074).margin(kRounding));
  const double w4 = effective_bits(4, 128, 20), kv4 = effective_bits(4, 128, 32);
  CHECK(w4 == 4.15625);
  CHECK(kv4 == 4.25);
  CHECK(effective_bits(16, 128, 32) == 16);
  CHECK(effective_bits(2, 32, 32) == 3);
  CHECK(total(small, 16, 16) == Approx(14.55).margin(kRounding));
  CHECK(total(small, w4, 16) == Approx(4.96).margin(kRounding));
  CHECK(total(small, kv4, kv4) == Approx(4.25).margin(kRounding));
  CHECK(total(small, 4, 4) == Approx(4.03).margin(kRounding));
  const ModelConfig large = llama2(5120, 13824, 40, 40);
  CHECK(total(large, 16, 16) == Approx(27.71).margin(kRounding));
  CHECK(total(large, w4, 16) == Approx(8.92).margin(kRounding));
  CHECK(total(large, kv4, kv4) == Approx(7.84).margin(kRounding));
  CHECK(total(large, 4, 4) == Approx(7.42).margin(kRounding));
}

TEST_CASE("a recent window of 128 tokens costs 67 MB on LLaMA-2-7B, batch multiplies the cache") {
  const ModelConfig config = llama2(4096, 11008, 32, 32);
  const MemoryBytes bytes =
      memory_of(config, {.kv_bits = 2, .context = 1000, .batch = 3, .recent_window = 128});
  CHECK(bytes.recent_window == 3 * 67'108'864.0);
  CHECK(bytes.kv == 3 * 1000 * 2.0 * 32 * 4096 * 2 / 8);
}

}  // namespace wkvq
