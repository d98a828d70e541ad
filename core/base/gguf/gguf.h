#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files/tensor_file.h"

namespace wkvq {

/// Types of metadata, with their numbers in the file.
enum class GgufKind : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kText,
  kList,
  kUint64,
  kInt64,
  kFloat64,
};

/// One metadata value as it lies in the file, checked.
struct GgufValue {
  GgufKind kind;           ///< of a list: of its elements, never kList
  bool list = false;       ///< lists of lists are refused
  uint64_t count = 1;      ///< elements of a list
  std::string_view bytes;  ///< the elements; of texts, each with its length (8 bytes) in front
};

/// A memory-mapped GGUF file, version 2 or 3, little-endian. Everything is checked when it is
/// opened: counts, lengths, types, names, alignment, and that the tensors lie inside the file, in
/// order, each where the one before it ends. ConfigError names file, key or tensor. A shape is
/// that of the matrix: [rows, columns], while the file has columns first.
class GgufFile final : public TensorFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);

  /// By key.
  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }

  /// All in front of the data of the tensors.
  std::string_view header() const { return header_; }

 private:
  std::map<std::string, GgufValue> metadata_;
  std::string_view header_;
};

/// True where `path` names a GGUF file by its suffix.
bool is_gguf(const std::filesystem::path& path);

/// The files of the model at `path`: one, or where its metadata say so (`split.count`) all parts
/// NAME-00001-of-0000N.gguf, of which `path` is the first. ConfigError where a part is missing,
/// or belongs elsewhere, or a tensor is in two.
std::vector<std::unique_ptr<GgufFile>> open_gguf(const std::filesystem::path& path);

}  // namespace wkvq
