#include "core/base/files/seal.h"

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/base/files/hash.h"

namespace wkvq {
namespace {

constexpr std::string_view kHdf5Signature("\x89HDF\r\n\x1a\n", 8);
constexpr size_t kPiece = size_t{1} << 20;

std::string seal_text(uint64_t bytes, const std::string& hash) {
  std::string text = fmt::format("wkvq results, HDF5 after these {} bytes\nbytes {}\nxxh3-128 {}\n",
                                 kSealBytes, bytes, hash);
  text.resize(kSealBytes, '\0');
  return text;
}

}  // namespace

std::string seal_of(const void* content, size_t bytes) {
  return seal_text(bytes, Hasher().add(content, bytes).hex());
}

bool check_seal(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string seal(kSealBytes, '\0');
  file.read(seal.data(), kSealBytes);
  seal.resize(static_cast<size_t>(file.gcount()));
  if (seal.starts_with(kHdf5Signature)) return false;
  const std::string start = seal_text(0, "").substr(0, seal_text(0, "").find('\n') + 1);
  if (!seal.starts_with(start))
    config_error("{}: not a readable HDF5 file: no signature of HDF5 or wkvq", path.string());
  Hasher hasher;
  uint64_t bytes = 0;
  std::vector<char> piece(kPiece);
  while (file.good()) {
    file.read(piece.data(), kPiece);
    hasher.add(piece.data(), static_cast<size_t>(file.gcount()));
    bytes += static_cast<uint64_t>(file.gcount());
  }
  if (seal != seal_text(bytes, hasher.hex()))
    config_error("{}: damaged: its content is not what was written", path.string());
  return true;
}

bool check_seal_once(const std::filesystem::path& path) {
  struct Seen {
    uint64_t inode;
    int64_t bytes, seconds, nanoseconds;
    bool operator==(const Seen&) const = default;
  };
  static std::map<std::filesystem::path, std::pair<Seen, bool>> known;
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return check_seal(path);
  const Seen now{found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
  const auto before = known.find(path);
  if (before != known.end() && before->second.first == now) return before->second.second;
  const bool sealed = check_seal(path);
  known[path] = {now, sealed};
  return sealed;
}

}  // namespace wkvq
