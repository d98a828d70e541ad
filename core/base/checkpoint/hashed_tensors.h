#pragma once

#include <filesystem>
#include <vector>

#include "core/base/checkpoint/safetensors.h"

namespace wkvq {

/// write_safetensors() with a hash of names, types, shapes and data in the metadata: the format
/// itself has no checksum.
void write_hashed_tensors(const std::filesystem::path& path,
                          const std::vector<TensorEntry>& tensors);

/// ConfigError where the content is not what was hashed; files without a hash pass.
void check_hash(const SafetensorsFile& file);

}  // namespace wkvq
