#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wkvq {

/// The records of a JSON-lines file: one object a line, blank lines left out.
struct JsonLines {
  std::vector<nlohmann::json> records;
  std::vector<std::string> places;  ///< "file:line" of each
  int64_t in_file = 0;              ///< records that the file holds
};

/// The first `limit` records (0: all). ConfigError with file:line where a line is not a JSON
/// object, with the file where it is missing, not UTF-8 or has no record.
JsonLines read_json_lines(const std::filesystem::path& path, int64_t limit);

}  // namespace wkvq
