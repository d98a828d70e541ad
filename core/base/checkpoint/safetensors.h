#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files/tensor_file.h"

namespace wkvq {

/// Bytes of one element, 0 for an unknown name.
size_t dtype_width(std::string_view dtype);

/// A memory-mapped safetensors file. Everything is checked when it is opened: the header's length
/// and JSON, names, types, shapes, and that the tensors fill the data part without holes or
/// overlaps. ConfigError names file, tensor and what is wrong.
class SafetensorsFile final : public TensorFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  /// The optional `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  void parse_header();

  std::map<std::string, std::string> metadata_;
};

/// Writes a file that SafetensorsFile accepts, under a temporary name that is renamed when all of
/// it is on disk. `bytes` of each entry must be what dtype and shape say. ConfigError where the
/// folder cannot be written, WriteError where the disk does not take the file.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace wkvq
