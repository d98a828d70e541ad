#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace wkvq {

/// An array of integers as a file holds it, row-major. Unsigned values above 2^63 - 1 become that.
struct TokenArray {
  std::vector<int64_t> shape;
  std::vector<int64_t> values;
};

/// Reads a .npy file of format 1 or 2: little-endian integers in C order. ConfigError where it is
/// anything else, or shorter or longer than its header says.
TokenArray read_npy(const std::filesystem::path& path);

/// Reads tensor `name` of a safetensors file. ConfigError where it is missing (it names those that
/// are there) or not of an integer type.
TokenArray read_safetensors_tokens(const std::filesystem::path& path, const std::string& name);

/// ConfigError where an array has more ids than a text can have.
void require_token_count(uint64_t count, const std::string& where);

/// Little-endian integers of `width` bytes (1, 2, 4 or 8).
std::vector<int64_t> decode_integers(std::span<const std::byte> bytes, size_t width,
                                     bool is_signed);

}  // namespace wkvq
