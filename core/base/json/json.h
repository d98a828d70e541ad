#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace wkvq {

/// Parses strict JSON (no comments, no NaN). ConfigError says `source` (a file name) and where:
/// syntax, a key that occurs twice in one object, nesting deeper than 100, over 10 000 000 values.
nlohmann::json parse_json(std::string_view text, const std::string& source);

/// The whole of a regular file; ConfigError where it cannot be read or is larger than `limit`
/// bytes.
std::string read_text_file(const std::filesystem::path& path, int64_t limit = int64_t{1} << 30);

/// parse_json(read_text_file(path)) of a file of at most 256 MiB.
nlohmann::json read_json_file(const std::filesystem::path& path);

}  // namespace wkvq
