#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/checkpoint/model_config.h"
#include "core/base/gguf/gguf.h"

namespace wkvq {

/// The tensor of frequency factors, by which conversions of LLaMA 3.1 and later carry its scaling.
inline constexpr std::string_view kGgufRopeFactors = "rope_freqs.weight";

/// The architecture that the metadata and tensors of a GGUF model describe: llama (Mistral is
/// llama there), qwen2 or qwen3. ConfigError names the key that is missing, malformed, or not known
/// and so perhaps a change of the computation.
ModelConfig read_gguf_config(const std::vector<std::unique_ptr<GgufFile>>& files);

/// Where the weights of a GGUF model go in a published folder.
struct GgufPlace {
  std::string name;          ///< "model.layers.0.self_attn.q_proj.weight"
  bool paired_rows = false;  ///< channels of a head that RoPE rotates together are neighbours
};

/// The place of tensor `name` ("blk.0.attn_q.weight"); `name` itself where it has none.
GgufPlace gguf_place(const std::string& name, std::string_view architecture);

}  // namespace wkvq
