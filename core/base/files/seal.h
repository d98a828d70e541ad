#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace wkvq {

/// The first bytes of our HDF5 files, which HDF5 leaves to the program (its user block): a line
/// that tells what the file is, the number of bytes after the seal, and their hash. HDF5 itself has
/// checksums of its structure only.
inline constexpr size_t kSealBytes = 512;

/// The seal of `content`.
std::string seal_of(const void* content, size_t bytes);

/// True where the seal of the file holds; false where the file has none and begins as HDF5 files
/// do: it was written by another program, or before there were seals. ConfigError where it begins
/// in neither way, or its content is not what was sealed.
bool check_seal(const std::filesystem::path& path);

/// The same for a file that is opened many times: its content is looked at once, and again where
/// it has another inode, size or time. Not from several threads at once.
bool check_seal_once(const std::filesystem::path& path);

}  // namespace wkvq
