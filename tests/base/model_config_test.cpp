#include "core/base/checkpoint/model_config.h"

#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

using nlohmann::json;

ModelConfig read(const std::string& fixture) {
  return read_model_config(test::source("tests/golden/models") / fixture);
}

/// `fixture` with one field changed must be refused with the field's name and `part`.
void refused(const std::string& fixture, const std::string& field, const json& value,
             const std::string& part) {
  test::ModelFolder folder(fixture);
  folder.set(field, value);
  const std::string message = test::error_of([&] { read_model_config(folder.path()); });
  INFO("message: " << message << ", expected: " << field << " and " << part);
  REQUIRE(message.find("'" + field + "'") != std::string::npos);
  REQUIRE(message.find(part) != std::string::npos);
  REQUIRE(message.find("config.json") != std::string::npos);
}

}  // namespace

TEST_CASE("families are read as they are published") {
  const ModelConfig mini = read_model_config(test::source("datasets/mini"));
  CHECK(mini.family == "llama");
  CHECK(mini.heads == 4);
  CHECK(mini.kv_heads == 2);
  CHECK(mini.head_dim == 64);
  CHECK(mini.tie_embeddings);
  CHECK(mini.bos_token == 0);

  const ModelConfig llama3 = read("llama_llama3");
  CHECK(llama3.rope.scaling == RopeScaling::kLlama3);
  CHECK(llama3.rope.theta == 500000.0);
  CHECK(llama3.rope.factor == 8.0);
  CHECK(llama3.rope.original_max_positions == 16);
  CHECK(read("llama_dynamic").rope.original_max_positions == 16);
  CHECK(read("llama_linear").rope.scaling == RopeScaling::kLinear);

  const ModelConfig bias = read("llama_bias");
  CHECK((bias.qkv_bias && bias.output_bias && bias.mlp_bias));
  const ModelConfig mistral = read("mistral_window");
  CHECK(mistral.window_of(0) == 8);
  const ModelConfig qwen2 = read("qwen2_window");
  CHECK(qwen2.window_of(0) == 0);
  CHECK(qwen2.window_of(1) == 6);
  CHECK((qwen2.qkv_bias && !qwen2.output_bias));
  CHECK(read("qwen2_tied").sliding_window == 0);
  CHECK(read("qwen3").qk_norm);
}

TEST_CASE("absent fields take the defaults of the format") {
  test::ModelFolder folder("llama_mha");
  for (const char* field : {"num_key_value_heads", "head_dim", "rope_theta", "attention_bias",
                            "mlp_bias", "max_position_embeddings", "hidden_act"}) {
    folder.set(field, nullptr);
  }
  const ModelConfig config = read_model_config(folder.path());
  CHECK(config.kv_heads == 4);
  CHECK(config.head_dim == 8);
  CHECK(config.rope.theta == 10000.0);
  CHECK(config.max_positions == 2048);
}

TEST_CASE("the newer rope_parameters are read") {
  test::ModelFolder folder("llama_mha");
  folder.set("rope_theta", nullptr);
  folder.set("rope_parameters", {{"rope_type", "linear"}, {"rope_theta", 5e5}, {"factor", 2.0}});
  const ModelConfig config = read_model_config(folder.path());
  CHECK(config.rope.theta == 5e5);
  CHECK(config.rope.scaling == RopeScaling::kLinear);
  CHECK(config.rope.factor == 2.0);
  folder.set("rope_scaling", {{"type", "linear"}, {"factor", 2.0}});
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "rope_scaling is given too");
}

TEST_CASE("layer_types must be full attention, then windows") {
  test::ModelFolder folder("qwen2_window");
  folder.set("layer_types", {"full_attention", "full_attention", "sliding_attention"});
  CHECK(read_model_config(folder.path()).sliding_from_layer == 2);
  refused("qwen2_window", "layer_types",
          {"sliding_attention", "full_attention", "sliding_attention"}, "after a sliding window");
  refused("qwen2_window", "layer_types", {"full_attention"}, "a list of 3");
  refused("qwen2_window", "layer_types", {"a", "b", "c"}, "known: full_attention");
  refused("qwen3", "layer_types", {"full_attention", "sliding_attention"},
          "without a sliding_window");
}

TEST_CASE("what is not supported is refused by the name of its field") {
  refused("llama_mha", "model_type", "gpt2", "known: llama, mistral, qwen2, qwen3");
  refused("llama_mha", "model_type", nullptr, "missing");
  refused("llama_mha", "hidden_act", "gelu", "\"gelu\"; only \"silu\"");
  refused("llama_mha", "partial_rotary_factor", 0.5, "0.5");
  refused("llama_mha", "num_local_experts", 8, "8");
  refused("llama_mha", "quantization_config", {{"bits", 4}}, "not supported");
  refused("mistral_window", "attention_bias", true, "family mistral has none");
  refused("qwen3", "mlp_bias", true, "family qwen3 has none");
}

TEST_CASE("fields that change nothing, as in transformers, are no obstacle") {
  test::ModelFolder folder("llama_mha");
  const int64_t positions = read_model_config(folder.path()).max_positions;
  folder.set("pretraining_tp", 2);  // the same products in slices
  folder.set("sliding_window", 8);  // LLaMA's attention has none
  folder.set("use_sliding_window", true);
  folder.set("rope_scaling", nullptr);
  folder.set("torch_dtype", "BFloat16");
  const ModelConfig config = read_model_config(folder.path());
  CHECK(config.sliding_window == 0);
  CHECK(config.max_positions == positions);
  CHECK(config.longest_context() == positions);
}

TEST_CASE("every end token of both files ends a text") {
  test::ModelFolder folder("llama_mha");
  using Ids = std::vector<int64_t>;
  const auto ends = [&] { return read_model_config(folder.path()).end_tokens; };
  CHECK(ends() == Ids{2});
  folder.set("eos_token_id", {7, 5});
  CHECK(ends() == Ids{7, 5});
  CHECK(read_model_config(folder.path()).eos_token == 7);
  test::write_file(folder / "generation_config.json", R"({"eos_token_id": [5, 9, 11]})");
  CHECK(ends() == Ids{7, 5, 9, 11});
  test::write_file(folder / "generation_config.json", R"({"eos_token_id": 3})");
  CHECK(ends() == Ids{7, 5, 3});
  folder.set("eos_token_id", json::array());
  CHECK(ends() == Ids{3});
  CHECK(read_model_config(folder.path()).eos_token == -1);
  test::write_file(folder / "generation_config.json", R"({"eos_token_id": 64})");
  REQUIRE_CONFIG_ERROR(ends(), "generation_config.json: field 'eos_token_id' is 64; expected");
}

TEST_CASE("RoPE scalings that are not supported are refused") {
  const auto scaling = [](const json& value, const std::string& part) {
    test::ModelFolder folder("llama_mha");
    folder.set("rope_scaling", value);
    REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), part);
    REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "rope_scaling");
  };
  scaling({{"rope_type", "yarn"}, {"factor", 4.0}},
          "'rope_type' is \"yarn\"; known: default, linear, dynamic, llama3");
  scaling({{"type", "longrope"}}, "'type' is \"longrope\"");
  scaling({{"type", "linear"}}, "'factor' is missing");
  scaling({{"type", "linear"}, {"factor", 0.5}}, "'factor' is 0.5");
  scaling({{"type", "linear"}, {"factor", 2.0}, {"alpha", 3}}, "'alpha' is 3; not supported");
  scaling({{"type", "llama3"}, {"factor", 2.0}}, "'original_max_position_embeddings' is missing");
  scaling({{"type", "dynamic"}, {"factor", 2.0}, {"original_max_position_embeddings", 7}}, "is 7");
  scaling(3, "expected an object");
}

TEST_CASE("sizes are checked") {
  refused("llama_mha", "hidden_size", 0, "is 0");
  refused("llama_mha", "hidden_size", -32, "is -32");
  refused("llama_mha", "hidden_size", 32.0, "expected an integer");
  refused("llama_mha", "hidden_size", "32", "expected an integer");
  refused("llama_mha", "hidden_size", nullptr, "missing");
  refused("llama_mha", "vocab_size", uint64_t{1} << 63, "expected an integer from 1");
  refused("llama_mha", "num_hidden_layers", 1'000'000, "from 1 to 10000");
  refused("llama_mha", "num_key_value_heads", 3, "divisor of num_attention_heads 4");
  refused("llama_mha", "num_key_value_heads", 8, "from 1 to 4");
  refused("llama_mha", "head_dim", 7, "even");
  refused("llama_mha", "rms_norm_eps", -1.0, "from 0 to 1");
  refused("llama_mha", "tie_word_embeddings", "yes", "true or false");
  refused("llama_mha", "bos_token_id", 64, "below vocab_size 64");
  refused("qwen3", "head_dim", nullptr, "missing");
}

TEST_CASE("config.json itself may be missing or malformed") {
  const test::TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "config.json: no such file");
  test::write_file(folder / "config.json", "{\"a\": 1, \"a\": 2}");
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "key 'a' occurs twice");
  test::write_file(folder / "config.json", "[1]");
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "expected an object");
  test::write_file(folder / "config.json", "{\"a\": NaN}");
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "not valid JSON");
}

}  // namespace wkvq
