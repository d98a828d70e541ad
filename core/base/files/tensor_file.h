#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wkvq {

/// One tensor of a file: row-major, little-endian. `data` need not be aligned to the width of an
/// element.
struct TensorEntry {
  std::string name;
  std::string dtype;  ///< as the format spells it: F64, F32, F16, BF16, I64, U8, Q4_0, Q6_K, ...
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  size_t bytes = 0;
};

/// A memory-mapped file of named tensors; each format derives from it. What its constructor let
/// through is valid as long as the object lives.
class TensorFile {
 public:
  virtual ~TensorFile();
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// In the order of their data.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }

  /// Null where there is none.
  const TensorEntry* find(std::string_view name) const;

  /// ConfigError where there is none.
  const TensorEntry& at(std::string_view name) const;

  /// All bytes of the file.
  std::string_view bytes() const;

  /// Gives the resident pages of `entry` back to the system; reading it again is still valid.
  void release(const TensorEntry& entry) const;

 protected:
  /// Maps `path`. ConfigError unless it is a regular file of more than `header_bytes`; `format`
  /// names the format in messages.
  TensorFile(const std::filesystem::path& path, size_t header_bytes, std::string_view format);

  /// Makes find() work; to be called when `tensors_` is complete. The first of equal names counts.
  void index_names();

  std::vector<TensorEntry> tensors_;

 private:
  std::unordered_map<std::string_view, size_t> places_;  ///< in tensors_, by their names
  std::filesystem::path path_;
  const std::byte* mapping_ = nullptr;
  size_t size_ = 0;
};

}  // namespace wkvq
