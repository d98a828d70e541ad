#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// The whole of a UTF-8 file. ConfigError where it is missing, not a file, compressed or not valid
/// UTF-8 (with the byte offset).
std::string read_utf8_file(const std::filesystem::path& path);

/// `field` (a string) of each line's JSON object, the first `limit` of them (0: all); blank lines
/// are no documents. ConfigError names file and line.
std::vector<std::string> read_jsonl(const std::filesystem::path& path, const std::string& field,
                                    int64_t limit);

/// Offset of the first byte that is not part of valid UTF-8 (no surrogates, no overlong forms, at
/// most U+10FFFF), or npos.
size_t find_invalid_utf8(std::string_view text);

}  // namespace wkvq
