#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wkvq {

/// The bytes of a regular file of at most 256 MiB. ConfigError where it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// XXH3-64 over the parts and their lengths, 16 hexadecimal digits.
std::string hash_of(const std::vector<std::string>& parts);

}  // namespace wkvq
