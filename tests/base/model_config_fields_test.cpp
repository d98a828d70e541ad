#include <array>

#include "core/base/checkpoint/model_config.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

using nlohmann::json;

/// config.json of a small model of each family, as published files spell it.
json small(const std::string& family) {
  json config = {{"model_type", family},     {"hidden_size", 24},
                 {"intermediate_size", 40},  {"num_hidden_layers", 3},
                 {"num_attention_heads", 6}, {"num_key_value_heads", 2},
                 {"vocab_size", 100},        {"max_position_embeddings", 64},
                 {"rms_norm_eps", 1e-6}};
  if (family == "qwen3") config["head_dim"] = 8;
  return config;
}

ModelConfig read(const json& config) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "config.json", config.dump());
  return read_model_config(folder.path());
}

/// `family` with one field set.
ModelConfig with(const std::string& family, const std::string& field, const json& value) {
  json config = small(family);
  config[field] = value;
  return read(config);
}

void refused(const std::string& family, const std::string& field, const json& value,
             const std::string& part) {
  REQUIRE_CONFIG_ERROR(with(family, field, value), "config.json: field '" + field + "'");
  REQUIRE_CONFIG_ERROR(with(family, field, value), part);
}

}  // namespace

TEST_CASE("config: every size lands in its own field") {
  const ModelConfig config = read(small("llama"));
  CHECK(config.family == "llama");
  CHECK(config.hidden_size == 24);
  CHECK(config.intermediate_size == 40);
  CHECK(config.layers == 3);
  CHECK(config.heads == 6);
  CHECK(config.kv_heads == 2);
  CHECK(config.head_dim == 4);
  CHECK(config.vocab_size == 100);
  CHECK(config.max_positions == 64);
  CHECK(config.norm_eps == 1e-6);
  CHECK(config.bos_token == -1);
  CHECK(config.eos_token == -1);
  CHECK_FALSE(config.tie_embeddings);
}

TEST_CASE("config: a size that is missing is refused where the family has no default") {
  for (const char* field : {"hidden_size", "intermediate_size", "num_hidden_layers",
                            "num_attention_heads", "vocab_size", "rms_norm_eps"}) {
    for (const std::string& family : family_names()) refused(family, field, nullptr, "is missing");
  }
  for (const char* family : {"mistral", "qwen2", "qwen3"}) {
    refused(family, "num_key_value_heads", nullptr, "is missing");
    refused(family, "max_position_embeddings", nullptr, "is missing");
  }
  CHECK(with("llama", "num_key_value_heads", nullptr).kv_heads == 6);
  CHECK(with("llama", "max_position_embeddings", nullptr).max_positions == 2048);
}

TEST_CASE("config: each size has bounds, and the bounds themselves are allowed") {
  refused("llama", "intermediate_size", (1 << 20) + 1, "from 1 to 1048576");
  CHECK(with("llama", "intermediate_size", 1 << 20).intermediate_size == 1 << 20);
  refused("llama", "vocab_size", (1 << 24) + 1, "from 1 to 16777216");
  CHECK(with("llama", "vocab_size", 1 << 24).vocab_size == 1 << 24);
  refused("llama", "num_hidden_layers", 0, "from 1 to 10000");
  CHECK(with("llama", "num_hidden_layers", 10'000).layers == 10'000);
  refused("llama", "max_position_embeddings", int64_t{1} << 40, "from 1 to 2147483648");
  refused("llama", "rms_norm_eps", 1.5, "from 0 to 1");
  refused("llama", "rms_norm_eps", "1e-6", "expected a number");
  refused("llama", "num_attention_heads", 1 << 17, "from 1 to 65536");
  refused("llama", "num_key_value_heads", 4, "expected a divisor of num_attention_heads 6");
  refused("llama", "num_key_value_heads", 0, "from 1 to 6");
  // 18 heads of 65536 channels: each within its bounds, together not.
  json wide = small("llama");
  wide["num_attention_heads"] = 18;
  wide["head_dim"] = 1 << 16;
  REQUIRE_CONFIG_ERROR(read(wide), "'num_attention_heads' is 18; times head_dim 65536 expected");
}

TEST_CASE("config: without head_dim the heads must share the hidden size in even parts") {
  CHECK(with("llama", "hidden_size", 36).head_dim == 6);
  refused("llama", "hidden_size", 30, "multiple of twice num_attention_heads 6");  // 5 channels
  refused("llama", "hidden_size", 26, "multiple of twice num_attention_heads 6");
  CHECK(with("llama", "head_dim", 10).head_dim == 10);  // need not divide anything
  refused("llama", "head_dim", 5, "expected an even number");
  refused("llama", "head_dim", 0, "from 1");
}

TEST_CASE("config: which biases and norms a family has") {
  struct Row {
    const char* family;
    bool qkv_bias, takes_attention_bias, takes_mlp_bias, qk_norm;
  };
  for (const Row& row : std::array<Row, 4>{{{"llama", false, true, true, false},
                                            {"mistral", false, false, false, false},
                                            {"qwen2", true, false, false, false},
                                            {"qwen3", false, true, false, true}}}) {
    INFO(row.family);
    const ModelConfig plain = read(small(row.family));
    CHECK(plain.qkv_bias == row.qkv_bias);
    CHECK(plain.qk_norm == row.qk_norm);
    CHECK_FALSE(plain.output_bias);
    CHECK_FALSE(plain.mlp_bias);
    if (row.takes_attention_bias) {
      const ModelConfig biased = with(row.family, "attention_bias", true);
      CHECK((biased.qkv_bias && biased.output_bias && !biased.mlp_bias));
    } else {
      refused(row.family, "attention_bias", true, fmt::format("family {} has none", row.family));
    }
    if (row.takes_mlp_bias) {
      CHECK(with(row.family, "mlp_bias", true).mlp_bias);
    } else {
      refused(row.family, "mlp_bias", true, "has none");
    }
  }
}

TEST_CASE("config: windows are always on, opt-in or unknown by family") {
  const ModelConfig mistral = with("mistral", "sliding_window", 16);
  CHECK(mistral.window_of(0) == 16);
  CHECK(mistral.window_of(2) == 16);
  CHECK(with("mistral", "sliding_window", nullptr).sliding_window == 0);
  refused("mistral", "sliding_window", 0, "from 1");
  CHECK(with("mistral", "use_sliding_window", true).sliding_window == 0);  // Mistral reads no such
  CHECK(with("llama", "sliding_window", 16).sliding_window == 0);

  json qwen = small("qwen2");
  qwen["sliding_window"] = 16;
  qwen["max_window_layers"] = 2;
  CHECK(read(qwen).sliding_window == 0);  // published with the width, but not switched on
  qwen["use_sliding_window"] = true;
  CHECK(read(qwen).window_of(1) == 0);
  CHECK(read(qwen).window_of(2) == 16);
  qwen["layer_types"] = {"full_attention", "sliding_attention", "sliding_attention"};
  CHECK(read(qwen).sliding_from_layer == 1);  // the newer field decides
  qwen.erase("layer_types");
  qwen.erase("max_window_layers");
  REQUIRE_CONFIG_ERROR(read(qwen), "field 'max_window_layers' is missing");
  REQUIRE_CONFIG_ERROR(with("qwen2", "use_sliding_window", true), "'sliding_window' is missing");
}

TEST_CASE("config: token ids lie in the vocabulary, of a list the first counts") {
  for (const char* field : {"bos_token_id", "eos_token_id"}) {
    const auto id = [&](const json& value) {
      const ModelConfig config = with("llama", field, value);
      return field[0] == 'b' ? config.bos_token : config.eos_token;
    };
    CHECK(id(0) == 0);
    CHECK(id(99) == 99);
    CHECK(id({7, 8, 9}) == 7);
    CHECK(id({-1, 8}) == 8);
    CHECK(id(-1) == -1);
    CHECK(id(json::array()) == -1);
    CHECK(id(nullptr) == -1);
    for (const json& bad : {json(100), json(-2), json(1.0), json("1"), json::array({100, 1}),
                            json::array({nullptr}), json(uint64_t{1} << 63), json(UINT64_MAX)}) {
      INFO(bad.dump());
      refused("llama", field, bad, "expected a token id below vocab_size 100");
    }
  }
}

TEST_CASE("config: what would change the computation is refused unless it is neutral") {
  const std::array<std::pair<const char*, json>, 12> neutral = {{{"hidden_act", "silu"},
                                                                 {"hidden_act", "swish"},
                                                                 {"partial_rotary_factor", 1.0},
                                                                 {"partial_rotary_factor", 1},
                                                                 {"pretraining_tp", 1},
                                                                 {"is_encoder_decoder", false},
                                                                 {"num_experts", 0},
                                                                 {"no_rope_layers", json::array()},
                                                                 {"attention_multiplier", 1.0},
                                                                 {"logits_scaling", 1},
                                                                 {"quantization_config", nullptr},
                                                                 {"unknown_to_us", {1, 2}}}};
  for (const auto& [field, value] : neutral) {
    INFO(field << ": " << value.dump());
    CHECK_NOTHROW(with("llama", field, value));
  }
  for (const char* field : {"partial_rotary_factor", "attention_multiplier", "embedding_multiplier",
                            "residual_multiplier", "logits_scaling"}) {
    refused("llama", field, 0.5, "is 0.5; only 1.0 is supported");
  }
  for (const char* field : {"attn_logit_softcapping", "final_logit_softcapping",
                            "query_pre_attn_scalar", "quantization_config"}) {
    refused("llama", field, 30.0, "is 30.0; not supported");
  }
  refused("llama", "is_encoder_decoder", true, "only false is supported");
  refused("llama", "add_cross_attention", true, "only false is supported");
  refused("llama", "num_experts", 8, "only 0 is supported");
  refused("llama", "no_rope_layers", {1}, "only [] is supported");
  refused("llama", "hidden_act", "relu", "\"relu\"; only \"silu\" is supported");
}

}  // namespace wkvq
