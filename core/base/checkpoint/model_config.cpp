#include "core/base/checkpoint/model_config.h"

#include <fmt/ranges.h>
#include <algorithm>

#include <array>

#include "core/base/checkpoint/config_json.h"
#include "core/base/checkpoint/gguf_config.h"
#include "core/base/checkpoint/rope_config.h"
#include "core/base/checkpoint/special_tokens.h"
#include "core/base/error.h"
#include "core/base/json/foreign_file.h"
#include "core/base/json/json.h"
#include "core/base/json/json_fields.h"

namespace wkvq {
namespace {

/// How a family reads config.json where families differ.
struct Family {
  const char* name;           ///< `model_type`
  bool qkv_bias;              ///< always there
  bool reads_attention_bias;  ///< `attention_bias`: biases of q, k, v and o
  bool reads_mlp_bias;
  bool qk_norm;
  bool window_always;  ///< `sliding_window` alone switches the window on
  bool window_opt_in;  ///< only with `use_sliding_window`
  bool mha_default;    ///< absent `num_key_value_heads` means one per head
  bool needs_head_dim;
};

// TinyLlama and SmolLM2 are model_type llama.
constexpr std::array<Family, 4> kFamilies = {{
    {.name = "llama",
     .qkv_bias = false,
     .reads_attention_bias = true,
     .reads_mlp_bias = true,
     .qk_norm = false,
     .window_always = false,
     .window_opt_in = false,
     .mha_default = true,
     .needs_head_dim = false},
    {.name = "mistral",
     .qkv_bias = false,
     .reads_attention_bias = false,
     .reads_mlp_bias = false,
     .qk_norm = false,
     .window_always = true,
     .window_opt_in = false,
     .mha_default = false,
     .needs_head_dim = false},
    {.name = "qwen2",
     .qkv_bias = true,
     .reads_attention_bias = false,
     .reads_mlp_bias = false,
     .qk_norm = false,
     .window_always = false,
     .window_opt_in = true,
     .mha_default = false,
     .needs_head_dim = false},
    {.name = "qwen3",
     .qkv_bias = false,
     .reads_attention_bias = true,
     .reads_mlp_bias = false,
     .qk_norm = true,
     .window_always = false,
     .window_opt_in = true,
     .mha_default = false,
     .needs_head_dim = true},
}};

constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxLayers = 10'000;
constexpr int64_t kMaxHeads = 1 << 16;

const Family& family_of(const JsonFields& fields) {
  const std::string name = fields.text("model_type");
  for (const Family& family : kFamilies) {
    if (name == family.name) return family;
  }
  fields.refuse("model_type", fmt::format("known: {}", fmt::join(family_names(), ", ")));
}

/// Fields that change the computation: only their neutral value (or null) is supported.
void refuse_unsupported(const JsonFields& fields) {
  using nlohmann::json;
  static const std::vector<std::pair<const char*, std::vector<json>>> neutral = {
      {"hidden_act", {"silu", "swish"}},   {"partial_rotary_factor", {1.0}},
      {"is_encoder_decoder", {false}},     {"add_cross_attention", {false}},
      {"quantization_config", {}},         {"num_experts", {0}},
      {"num_local_experts", {0}},          {"attn_logit_softcapping", {}},
      {"final_logit_softcapping", {}},     {"query_pre_attn_scalar", {}},
      {"no_rope_layers", {json::array()}}, {"attention_multiplier", {1.0}},
      {"embedding_multiplier", {1.0}},     {"residual_multiplier", {1.0}},
      {"logits_scaling", {1.0}},
  };
  for (const auto& [name, values] : neutral) {
    const json* given = fields.find(name);
    if (!given || std::find(values.begin(), values.end(), *given) != values.end()) continue;
    fields.refuse(name, values.empty() ? std::string("not supported")
                                       : fmt::format("only {} is supported", values[0].dump()));
  }
}

void read_sizes(const JsonFields& fields, const Family& family, ModelConfig& config) {
  config.hidden_size = fields.integer("hidden_size", 1, kMaxWidth);
  config.intermediate_size = fields.integer("intermediate_size", 1, kMaxWidth);
  config.layers = fields.integer("num_hidden_layers", 1, kMaxLayers);
  config.heads = fields.integer("num_attention_heads", 1, kMaxHeads);
  config.vocab_size = fields.integer("vocab_size", 1, kMaxVocab);
  config.norm_eps = fields.number("rms_norm_eps", 0.0, 1.0);

  const bool mha = family.mha_default && !fields.find("num_key_value_heads");
  config.kv_heads = mha ? config.heads : fields.integer("num_key_value_heads", 1, config.heads);
  if (config.heads % config.kv_heads != 0) {
    fields.refuse("num_key_value_heads",
                  fmt::format("expected a divisor of num_attention_heads {}", config.heads));
  }
  // LLaMA 1 was published without the field.
  const bool has_positions = !family.mha_default || fields.find("max_position_embeddings");
  config.max_positions =
      has_positions ? fields.integer("max_position_embeddings", 1, kMaxPositions) : 2048;

  if (family.needs_head_dim || fields.find("head_dim")) {
    config.head_dim = fields.integer("head_dim", 1, kMaxHeads);
    if (config.head_dim % 2 != 0) fields.refuse("head_dim", "expected an even number");
  } else {
    config.head_dim = config.hidden_size / config.heads;
    if (config.hidden_size % (2 * config.heads) != 0) {
      fields.refuse("hidden_size", fmt::format("without head_dim expected a multiple of twice "
                                               "num_attention_heads {}",
                                               config.heads));
    }
  }
  if (config.heads * config.head_dim > kMaxWidth) {
    fields.refuse("num_attention_heads",
                  fmt::format("times head_dim {} expected at most {}", config.head_dim, kMaxWidth));
  }
}

void read_biases(const JsonFields& fields, const Family& family, ModelConfig& config) {
  const bool attention_bias = fields.boolean("attention_bias", false);
  const bool mlp_bias = fields.boolean("mlp_bias", false);
  if (attention_bias && !family.reads_attention_bias) {
    fields.refuse("attention_bias", fmt::format("family {} has none", family.name));
  }
  if (mlp_bias && !family.reads_mlp_bias) {
    fields.refuse("mlp_bias", fmt::format("family {} has none", family.name));
  }
  config.qkv_bias = family.qkv_bias || attention_bias;
  config.output_bias = attention_bias;
  config.mlp_bias = mlp_bias;
  config.qk_norm = family.qk_norm;
  config.tie_embeddings = fields.boolean("tie_word_embeddings", false);
}

/// `layer_types` must say what ModelConfig can: full attention up to a block, windows from there.
void check_layer_types(const JsonFields& fields, ModelConfig& config) {
  const nlohmann::json* types = fields.find("layer_types");
  if (!types) return;
  const auto layers = static_cast<size_t>(config.layers);
  if (!types->is_array() || types->size() != layers) {
    fields.refuse("layer_types", fmt::format("expected a list of {}", config.layers));
  }
  int64_t full = 0;
  for (size_t i = 0; i < layers; ++i) {
    const bool is_full = (*types)[i] == "full_attention";
    if (!is_full && (*types)[i] != "sliding_attention") {
      fields.refuse("layer_types", "known: full_attention, sliding_attention");
    }
    if (is_full && full != static_cast<int64_t>(i)) {
      fields.refuse("layer_types", "full attention after a sliding window is not supported");
    }
    full += is_full ? 1 : 0;
  }
  if (full < config.layers && config.sliding_window == 0) {
    fields.refuse("layer_types", "sliding_attention without a sliding_window in use");
  }
  config.sliding_from_layer = full;
}

void read_window(const JsonFields& fields, const Family& family, ModelConfig& config) {
  const bool opted_in = fields.boolean("use_sliding_window", false);
  // Fields of a window that a family has not change nothing, as in transformers.
  if ((opted_in && family.window_opt_in) ||
      (family.window_always && fields.find("sliding_window"))) {
    config.sliding_window = fields.integer("sliding_window", 1, kMaxPositions);
  }
  const bool named = fields.find("layer_types") != nullptr;
  if (opted_in && family.window_opt_in && !named) {
    config.sliding_from_layer = fields.integer("max_window_layers", 0, kMaxLayers);
  }
  check_layer_types(fields, config);
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& path) {
  if (is_gguf(path)) return read_gguf_config(open_gguf(path));
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored))
    config_error("{}: a file; expected the folder of a model, or a .gguf file", path.string());
  const std::filesystem::path file = path / "config.json";
  if (!std::filesystem::exists(file, ignored))
    config_error("{}: no such file{}", file.string(), instead_of_model(path));
  ModelConfig config = parse_model_config(read_json_file(file), file.string());
  add_end_tokens(path, config);
  return config;
}

ModelConfig parse_model_config(const nlohmann::json& json, const std::string& where) {
  const JsonFields fields(json, where);
  const Family& family = family_of(fields);
  refuse_unsupported(fields);
  ModelConfig config;
  config.family = family.name;
  read_sizes(fields, family, config);
  read_biases(fields, family, config);
  read_window(fields, family, config);
  config.rope = read_rope_config(fields, config);
  read_special_tokens(fields, config);
  return config;
}

int64_t ModelConfig::longest_context() const {
  return rope.scaling == RopeScaling::kDynamic ? kMaxPositions : max_positions;
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  return names;
}

}  // namespace wkvq
