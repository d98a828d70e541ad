#pragma once

#include <cstdint>
#include <string>

namespace wkvq {

/// Stored form for which `wkvq inspect` computes memory. A group size of -1 is a whole row: of
/// hidden_size inputs for weights, of head_dim channels for keys and values.
struct InspectOptions {
  int64_t weight_bits = 16;  ///< 2 to 16; a 16-bit scale and a zero point of as many bits a group
  int64_t weight_group = -1;
  int64_t kv_bits = 16;  ///< 2 to 16; a 16-bit scale and a 16-bit minimum a group
  int64_t kv_group = -1;
  int64_t context = 2048;  ///< tokens a sequence
  int64_t batch = 1;
};

/// Architecture, parameters, bytes on disk and memory by component of `model` (resolve_model_path),
/// a folder or a GGUF file, as text. Sizes in GB = 1e9 or MB = 1e6 bytes, as said there. Reads
/// headers only. ConfigError for what is not a supported model or options out of range.
std::string inspect_text(const std::string& model, const InspectOptions& options);

}  // namespace wkvq
