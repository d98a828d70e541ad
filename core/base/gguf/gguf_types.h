#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wkvq {

/// How a GGUF file stores the elements of a tensor: blocks of `block` neighbours along a row,
/// `bytes` each.
struct GgufType {
  uint32_t id;  ///< `ggml_type`
  std::string_view name;
  int64_t block;
  int64_t bytes;
  /// Writes the `block` values of one block to `out`, bit for bit as gguf.quants.dequantize of the
  /// PyPI package `gguf` (0.19.0). Null where elements are stored as they are.
  void (*decode)(const uint8_t* data, float* out);
};

/// Null for a type that is not known.
const GgufType* find_gguf_type(uint32_t id);
const GgufType* find_gguf_type(std::string_view name);

/// For messages: "IQ4_XS (23)" for a type of ggml.h, known here or not, else "99".
std::string gguf_type_text(uint32_t id);

/// The names of the known types, with commas.
std::string gguf_type_names();

}  // namespace wkvq
