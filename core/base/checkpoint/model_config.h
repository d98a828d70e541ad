#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace wkvq {

enum class RopeScaling { kNone, kLinear, kDynamic, kLlama3 };

/// Rotary position embedding as config.json describes it (`rope_theta`, `rope_scaling`).
struct RopeConfig {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  double low_freq_factor = 1.0;        ///< llama3 only
  double high_freq_factor = 4.0;       ///< llama3 only
  int64_t original_max_positions = 0;  ///< llama3 and dynamic
  std::vector<float> factors;          ///< [head_dim / 2] that divide frequencies; empty: none
};

/// One LLaMA-family decoder as data. Shapes: weights are [out, in].
struct ModelConfig {
  std::string family;  ///< the family table's name: llama, mistral, qwen2, qwen3
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  int64_t max_positions = 0;
  double norm_eps = 1e-5;
  RopeConfig rope;
  bool tie_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;  ///< RMSNorm over head_dim on queries and keys before RoPE (Qwen3)
  int64_t sliding_window =
      0;  ///< 0: none; else a query sees the last `sliding_window` tokens, its own included
  int64_t sliding_from_layer = 0;  ///< first layer with the window (Qwen2 `max_window_layers`)
  int64_t bos_token = -1;          ///< -1: none
  int64_t eos_token = -1;          ///< the first of them in config.json
  /// All that end a text: `eos_token_id` of config.json and generation_config.json, in that order.
  std::vector<int64_t> end_tokens;
  std::vector<int64_t> further_end_tokens;  ///< those that generation_config.json adds

  /// The most tokens of one sequence: max_positions, but no limit under dynamic scaling, whose
  /// frequencies follow the length.
  int64_t longest_context() const;

  /// The window of block `layer`, 0 where it has none.
  int64_t window_of(int64_t layer) const {
    return layer >= sliding_from_layer ? sliding_window : 0;
  }
};

/// Most positions that a configuration may name.
inline constexpr int64_t kMaxPositions = int64_t{1} << 31;

/// Reads config.json of a folder, with the end tokens of generation_config.json, or the metadata of
/// a GGUF file. ConfigError names the field that is missing, malformed or not supported.
ModelConfig read_model_config(const std::filesystem::path& path);

/// The names in the family table.
std::vector<std::string> family_names();

}  // namespace wkvq
