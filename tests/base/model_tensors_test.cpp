#include "core/base/checkpoint/model_tensors.h"

#include <fmt/ranges.h>

#include <set>

#include "core/base/checkpoint/memory_model.h"
#include "core/base/checkpoint/weight_files.h"
#include "tests/support/catch.h"
#include "tests/support/model_configs.h"

namespace wkvq {
namespace {

std::vector<std::string> lines_of(const std::vector<TensorSpec>& tensors) {
  std::vector<std::string> lines;
  for (const TensorSpec& spec : tensors) {
    lines.push_back(fmt::format("{} [{}]", spec.name, fmt::join(spec.shape, ",")));
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("tensors of a block: names and shapes by hand, linears in the order of use") {
  CHECK(lines_of(block_tensors(test::odd_widths(), 31)) ==
        Lines{"model.layers.31.self_attn.q_proj.weight [60,7]",
              "model.layers.31.self_attn.k_proj.weight [30,7]",
              "model.layers.31.self_attn.v_proj.weight [30,7]",
              "model.layers.31.self_attn.o_proj.weight [7,60]",
              "model.layers.31.mlp.gate_proj.weight [11,7]",
              "model.layers.31.mlp.up_proj.weight [11,7]",
              "model.layers.31.mlp.down_proj.weight [7,11]",
              "model.layers.31.input_layernorm.weight [7]",
              "model.layers.31.post_attention_layernorm.weight [7]"});
}

TEST_CASE("tensors of a block: each flag adds its biases or norms and nothing else") {
  const auto added = [](bool ModelConfig::*flag) {
    ModelConfig config = test::odd_widths();
    const Lines before = lines_of(block_tensors(config, 0));
    config.*flag = true;
    Lines extra;
    for (const std::string& line : lines_of(block_tensors(config, 0))) {
      if (std::find(before.begin(), before.end(), line) == before.end()) {
        extra.push_back(line.substr(std::string("model.layers.0.").size()));
      }
    }
    CHECK(block_tensors(config, 0).size() == before.size() + extra.size());
    return extra;
  };
  CHECK(added(&ModelConfig::qkv_bias) == Lines{"self_attn.q_proj.bias [60]",
                                               "self_attn.k_proj.bias [30]",
                                               "self_attn.v_proj.bias [30]"});
  CHECK(added(&ModelConfig::output_bias) == Lines{"self_attn.o_proj.bias [7]"});
  CHECK(added(&ModelConfig::mlp_bias) ==
        Lines{"mlp.gate_proj.bias [11]", "mlp.up_proj.bias [11]", "mlp.down_proj.bias [7]"});
  // One vector for all heads.
  CHECK(added(&ModelConfig::qk_norm) ==
        Lines{"self_attn.q_norm.weight [10]", "self_attn.k_norm.weight [10]"});
  CHECK(added(&ModelConfig::tie_embeddings).empty());
}

TEST_CASE("tensors outside the blocks: a tied head is not asked for") {
  ModelConfig config = test::odd_widths();
  CHECK(lines_of(outer_tensors(config)) == Lines{"model.embed_tokens.weight [13,7]",
                                                 "model.norm.weight [7]", "lm_head.weight [13,7]"});
  config.tie_embeddings = true;
  CHECK(lines_of(outer_tensors(config)) ==
        Lines{"model.embed_tokens.weight [13,7]", "model.norm.weight [7]"});
}

TEST_CASE("a bias follows its linear and shares its role") {
  ModelConfig config = test::odd_widths();
  config.qkv_bias = config.output_bias = config.mlp_bias = config.qk_norm = true;
  const auto tensors = block_tensors(config, 0);
  std::set<std::string> names;
  for (size_t i = 0; i < tensors.size(); ++i) {
    CHECK(names.insert(tensors[i].name).second);
    CHECK(tensors[i].is_bias == tensors[i].name.ends_with(".bias"));
    if (!tensors[i].is_bias) continue;
    REQUIRE(i > 0);
    CHECK(tensors[i].role == tensors[i - 1].role);
    CHECK(tensors[i].shape[0] == tensors[i - 1].shape[0]);
  }
  CHECK(tensors.size() == 7 + 7 + 4);
}

TEST_CASE("parameters counted from the shapes are those that the files hold") {
  for (const char* name : {"llama_bias", "llama_mha", "llama_mqa", "llama_gqa_head_dim",
                           "mistral_window", "qwen2_tied", "qwen2_window", "qwen3",
                           "llama_sharded_bf16", "qwen3_sharded_f16", "tinyllama_tied"}) {
    INFO(name);
    const auto folder = test::source("tests/golden/models") / name;
    const ModelConfig config = read_model_config(folder);
    const WeightFiles files(folder);
    int64_t stored = 0;
    const auto add = [&](const std::vector<TensorSpec>& specs) {
      for (const TensorSpec& spec : specs) {
        const TensorEntry& entry = *files.at(spec.name).entry;
        CHECK(entry.shape == spec.shape);
        stored += static_cast<int64_t>(entry.bytes / dtype_width(entry.dtype));
      }
    };
    add(outer_tensors(config));
    for (int64_t layer = 0; layer < config.layers; ++layer) add(block_tensors(config, layer));
    const ParameterCounts counts = count_parameters(config);
    CHECK(counts.total() == stored);
    CHECK((counts.head == 0) == config.tie_embeddings);
  }
}

TEST_CASE("memory: components by hand on a model of odd widths") {
  const ModelConfig config = test::odd_widths();
  const MemoryQuestion question = {.weight_bits = 4,
                                   .kv_bits = 2,
                                   .other_bits = 32,
                                   .context = 5,
                                   .batch = 3,
                                   .recent_window = 2};
  const MemoryBytes bytes = memory_of(config, question);
  CHECK(bytes.attention == 2 * (7 * 60 + 2 * 7 * 30 + 60 * 7) * 4 / 8.0);
  CHECK(bytes.mlp == 2 * 3 * 7 * 11 * 4 / 8.0);
  CHECK(bytes.norms == (2 * 2 * 7 + 7) * 32 / 8.0);
  CHECK(bytes.embedding == 13 * 7 * 32 / 8.0);
  CHECK(bytes.head == bytes.embedding);
  CHECK(kv_elements_per_token(config) == 2 * 2 * 3 * 10);
  CHECK(bytes.kv == 120 * 5 * 3 * 2 / 8.0);
  CHECK(bytes.recent_window == 120 * 2 * 3 * 16 / 8.0);
  CHECK(bytes.total() == bytes.attention + bytes.mlp + bytes.norms + 2 * bytes.embedding +
                             bytes.kv + bytes.recent_window);
}

TEST_CASE("memory: the largest cache that may be asked for is positive and exact") {
  ModelConfig config = test::odd_widths();
  config.layers = 80;
  config.kv_heads = 64;
  config.head_dim = 128;
  const int64_t context = int64_t{1} << 31, batch = int64_t{1} << 20;
  const MemoryBytes bytes = memory_of(config, {.context = context, .batch = batch});
  // 2 * 80 * 64 * 128 elements of 2 bytes a token: far beyond 64 bits of elements.
  CHECK(bytes.kv == 1310720.0 * 2 * static_cast<double>(context) * static_cast<double>(batch));
}

}  // namespace wkvq
