#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wkvq {

/// One tensor of a safetensors file: row-major, little-endian. `data` need not be aligned to the
/// width of an element.
struct TensorEntry {
  std::string name;
  std::string dtype;  ///< as the format spells it: F64, F32, F16, BF16, I64, I32, U8, BOOL, ...
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  size_t bytes = 0;
};

/// Bytes of one element, 0 for an unknown name.
size_t dtype_width(std::string_view dtype);

/// A memory-mapped safetensors file. Everything is checked when it is opened: the header's length
/// and JSON, names, types, shapes, and that the tensors fill the data part without holes or
/// overlaps. ConfigError names file, tensor and what is wrong.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// In the order of their data.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }

  /// Null where there is none.
  const TensorEntry* find(std::string_view name) const;

  /// ConfigError where there is none.
  const TensorEntry& at(std::string_view name) const;

  /// The optional `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// All bytes of the file.
  std::string_view bytes() const;

  /// Gives the resident pages of `entry` back to the system; reading it again is still valid.
  void release(const TensorEntry& entry) const;

 private:
  void map_file();
  void parse_header();

  std::filesystem::path path_;
  const std::byte* mapping_ = nullptr;
  size_t size_ = 0;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string_view, size_t> places_;  ///< in tensors_, by their names
  std::map<std::string, std::string> metadata_;
};

/// Writes a file that SafetensorsFile accepts, under a temporary name that is renamed when all of
/// it is on disk. `bytes` of each entry must be what dtype and shape say. ConfigError where the
/// folder cannot be written.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace wkvq
