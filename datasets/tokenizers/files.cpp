#include "datasets/tokenizers/files.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/base/error.h"
#include "core/base/json/foreign_file.h"
#include "core/base/json/json.h"

namespace wkvq {

std::string read_file(const std::filesystem::path& path) {
  // The largest published ones are below 50 MB.
  constexpr int64_t kLimit = int64_t{256} << 20;
  std::string bytes = read_text_file(path, kLimit);
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
