#include "datasets/tokenizers/files.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/base/foreign_file.h"

namespace wkvq {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    config_error("{}: cannot be read: {}", path.string(), std::strerror(file ? EISDIR : errno));
  }
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) config_error("{}: read error", path.string());
  if (bytes.size() < 1024) refuse_foreign(path, bytes);  // a pointer, an answer of a server
  return bytes;
}

std::string hash_of(const std::vector<std::string>& parts) {
  // Lengths first, so that moving bytes from one file to the next changes the hash.
  std::string all;
  for (const std::string& part : parts) all += fmt::format("{};", part.size());
  for (const std::string& part : parts) all += part;
  return fmt::format("{:016x}", XXH3_64bits(all.data(), all.size()));
}

}  // namespace wkvq
