#include "core/base/checkpoint/gguf_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/checkpoint/config_json.h"
#include "core/base/error.h"
#include "core/base/gguf/gguf_fields.h"

namespace wkvq {
namespace {

constexpr std::array<std::string_view, 3> kArchitectures = {"llama", "qwen2", "qwen3"};
constexpr int64_t kAny = int64_t{1} << 40;  // limits are those of config.json

struct Name {
  std::string_view gguf;
  std::string_view checkpoint;
};

constexpr std::array<Name, 3> kOuter = {{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

constexpr std::array<Name, 11> kOfBlock = {{
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"attn_norm", "input_layernorm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
}};

/// Metadata of an architecture ("llama." in front) that may stand there; any other might change
/// what the model computes.
const std::set<std::string> kKnown = {
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "vocab_size",
    "tensor_data_layout",
    "expert_count",
    "expert_used_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.causal",
    "attention.sliding_window",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
};

/// The metadata of one architecture.
class Reader {
 public:
  explicit Reader(const GgufFile& file)
      : fields_(file.metadata(), file.path().string()),
        architecture_(fields_.text("general.architecture")),
        prefix_(architecture_ + ".") {
    if (std::ranges::find(kArchitectures, architecture_) == kArchitectures.end()) {
      fields_.refuse("general.architecture",
                     fmt::format("known: {}", fmt::join(kArchitectures, ", ")));
    }
    for (const auto& [key, value] : file.metadata()) {
      if (key.starts_with(prefix_) && !kKnown.contains(key.substr(prefix_.size()))) {
        fields_.refuse(key, "this key is not known and may change what the model computes");
      }
    }
  }

  nlohmann::json config_json() const {
    nlohmann::json json = {
        {"model_type", architecture_},
        {"hidden_size", integer("embedding_length")},
        {"intermediate_size", integer("feed_forward_length")},
        {"num_hidden_layers", integer("block_count")},
        {"max_position_embeddings", integer("context_length")},
        {"rms_norm_eps", fields_.number(prefix_ + "attention.layer_norm_rms_epsilon", 0.0, 1.0)},
    };
    const int64_t heads = integer("attention.head_count");
    json["num_attention_heads"] = heads;
    json["num_key_value_heads"] = integer_or("attention.head_count_kv", heads);
    json["head_dim"] = head_dim(heads);
    if (has("rope.freq_base")) {
      json["rope_theta"] = fields_.number(prefix_ + "rope.freq_base", 1.0, 1e15);
    }
    if (const double factor = rope_factor(); factor != 1.0) {
      json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
    }
    refuse_unsupported();
    return json;
  }

  void read_tokens(nlohmann::json& json) const {
    const std::string prefix = "tokenizer.ggml.";
    const auto token = [&](const char* name) {
      return fields_.integer_or(prefix + name, -1, -1, UINT32_MAX);
    };
    // 2^32 - 1 is how some writers say that there is none.
    const auto given = [&](const char* name) {
      return token(name) >= 0 && token(name) != UINT32_MAX;
    };
    if (given("bos_token_id")) json["bos_token_id"] = token("bos_token_id");
    std::vector<int64_t> ends;
    for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
      const bool known = given(name) && std::ranges::find(ends, token(name)) != ends.end();
      if (given(name) && !known) ends.push_back(token(name));
    }
    if (!ends.empty()) json["eos_token_id"] = ends;
  }

 private:
  bool has(const char* key) const { return fields_.find(prefix_ + key) != nullptr; }
  int64_t integer(const char* key) const { return fields_.integer(prefix_ + key, 1, kAny); }
  int64_t integer_or(const char* key, int64_t if_absent) const {
    return fields_.integer_or(prefix_ + key, if_absent, 1, kAny);
  }

  int64_t head_dim(int64_t heads) const {
    const int64_t hidden = integer("embedding_length");
    if (!has("attention.key_length") && hidden % heads != 0) {
      fields_.refuse(prefix_ + "embedding_length",
                     fmt::format("without attention.key_length expected a multiple of "
                                 "attention.head_count {}",
                                 heads));
    }
    const int64_t channels = integer_or("attention.key_length", hidden / heads);
    for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
      if (integer_or(key, channels) != channels) {
        fields_.refuse(prefix_ + key, fmt::format("only that of keys, {}, is supported", channels));
      }
    }
    return channels;
  }

  /// By what positions are divided.
  double rope_factor() const {
    const std::string type = fields_.text_or(prefix_ + "rope.scaling.type", "linear");
    if (type != "none" && type != "linear") {
      fields_.refuse(prefix_ + "rope.scaling.type", "known: none, linear");
    }
    const char* key = has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
    if (type == "none" || !has(key)) return 1.0;
    // 0 is how some writers say that there is none.
    const double factor = fields_.number(prefix_ + key, 0.0, 1e6);
    return factor == 0.0 ? 1.0 : factor;
  }

  void refuse_unsupported() const {
    if (has("expert_count") && fields_.integer(prefix_ + "expert_count", 0, kAny) > 0) {
      fields_.refuse(prefix_ + "expert_count", "mixtures of experts are not supported");
    }
    if (!fields_.flag_or(prefix_ + "attention.causal", true)) {
      fields_.refuse(prefix_ + "attention.causal", "only causal attention is supported");
    }
    if (has("rope.scaling.attn_factor") &&
        fields_.number(prefix_ + "rope.scaling.attn_factor", 0.0, 1e6) != 1.0) {
      fields_.refuse(prefix_ + "rope.scaling.attn_factor", "only 1 is supported");
    }
    const int64_t window = fields_.integer_or(prefix_ + "attention.sliding_window", 0, 0, kAny);
    if (window > 0 && window < integer("context_length")) {
      fields_.refuse(prefix_ + "attention.sliding_window",
                     "windows below context_length are not supported in GGUF files");
    }
  }

  GgufFields fields_;
  std::string architecture_;
  std::string prefix_;
};

const TensorEntry* find(const std::vector<std::unique_ptr<GgufFile>>& files,
                        std::string_view name) {
  for (const auto& file : files) {
    if (const TensorEntry* entry = file->find(name)) return entry;
  }
  return nullptr;
}

std::vector<float> rope_factors(const TensorEntry& entry, int64_t head_dim,
                                const std::string& file) {
  if (entry.dtype != "F32" || entry.shape != std::vector<int64_t>{head_dim / 2}) {
    config_error("{}: tensor '{}' is {} [{}], expected F32 [{}]", file, entry.name, entry.dtype,
                 fmt::join(entry.shape, ", "), head_dim / 2);
  }
  std::vector<float> factors(entry.bytes / sizeof(float));
  std::memcpy(factors.data(), entry.data, entry.bytes);
  for (const float factor : factors) {
    if (!(factor >= 1e-6F && factor <= 1e6F)) {
      config_error("{}: tensor '{}' holds {}, expected 1e-6 to 1e6", file, entry.name, factor);
    }
  }
  return factors;
}

/// "12" of "blk.12.attn_q.weight"; empty where `name` is not of a block.
std::string_view block_of(std::string_view name) {
  constexpr std::string_view kBlock = "blk.";
  const size_t dot = name.find('.', kBlock.size());
  if (!name.starts_with(kBlock) || dot == std::string_view::npos) return {};
  const std::string_view digits = name.substr(kBlock.size(), dot - kBlock.size());
  const bool number = !digits.empty() && (digits == "0" || digits[0] != '0') &&
                      digits.find_first_not_of("0123456789") == std::string_view::npos;
  return number ? digits : std::string_view();
}

}  // namespace

ModelConfig read_gguf_config(const std::vector<std::unique_ptr<GgufFile>>& files) {
  const std::string file = files[0]->path().string();
  const Reader reader(*files[0]);
  nlohmann::json json = reader.config_json();
  const TensorEntry* embedding = find(files, "token_embd.weight");
  if (!embedding) config_error("{}: no tensor 'token_embd.weight'", file);
  json["vocab_size"] = embedding->shape[0];
  json["tie_word_embeddings"] = find(files, "output.weight") == nullptr;
  reader.read_tokens(json);
  ModelConfig config = parse_model_config(json, file + " (as config.json)");
  config.qkv_bias = config.qkv_bias || find(files, "blk.0.attn_q.bias");
  config.output_bias = find(files, "blk.0.attn_output.bias") != nullptr;
  config.mlp_bias = find(files, "blk.0.ffn_gate.bias") != nullptr;
  if (const TensorEntry* factors = find(files, kGgufRopeFactors)) {
    config.rope.factors = rope_factors(*factors, config.head_dim, file);
  }
  return config;
}

GgufPlace gguf_place(const std::string& name, std::string_view architecture) {
  const size_t dot = name.rfind('.');
  const std::string_view kind = std::string_view(name).substr(std::min(dot, name.size()));
  const std::string_view part = std::string_view(name).substr(0, dot);
  if (kind != ".weight" && kind != ".bias") return {name};
  for (const Name& row : kOuter) {
    if (row.gguf == part) return {fmt::format("{}{}", row.checkpoint, kind)};
  }
  const std::string_view block = block_of(name);
  if (block.empty()) return {name};
  const std::string prefix = fmt::format("blk.{}.", block);
  for (const Name& row : kOfBlock) {
    if (part != fmt::format("{}{}", prefix, row.gguf)) continue;
    const bool rotated = row.gguf == "attn_q" || row.gguf == "attn_k";
    return {fmt::format("model.layers.{}.{}{}", block, row.checkpoint, kind),
            rotated && architecture == "llama"};
  }
  return {name};
}

}  // namespace wkvq
