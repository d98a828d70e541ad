#include "core/base/files/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/files/owner.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".tmp";

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_wrong_place(int error) {
  for (const int known : {ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, EROFS, ENAMETOOLONG, ELOOP})
    if (error == known) return true;
  return false;
}

/// The owner in the name of a temporary file; nothing where it is none of ours.
std::optional<Owner> owner_of(const std::string& name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  const std::string stem = name.substr(0, name.size() - kSuffix.size());
  // The host's name may have dots: the longest token wins.
  for (size_t dot = stem.find('.'); dot != std::string::npos; dot = stem.find('.', dot + 1))
    if (auto owner = Owner::parse(std::string_view(stem).substr(dot + 1))) return owner;
  return std::nullopt;
}

/// The file system's own time, which the clock of no host replaces.
fs::file_time_type now_in(const fs::path& folder) {
  const fs::path path = folder / fmt::format(".{}{}", Owner::self().token(), kSuffix);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return fs::file_time_type::min();
  ::close(descriptor);
  std::error_code error;
  const auto now = fs::last_write_time(path, error);
  ::unlink(path.c_str());
  return error ? fs::file_time_type::min() : now;
}

bool is_leftover(const fs::path& path, const std::string& prefix) {
  const std::string name = path.filename().string();
  const auto owner = name.starts_with(prefix) ? owner_of(name) : std::nullopt;
  if (!owner) return false;
  const Life life = life_of(*owner);
  if (life != Life::kUnknown) return life == Life::kDead;
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && now_in(folder_of(path)) - kSilence > written;
}

}  // namespace

void write_failed(const fs::path& path, const char* what, int error) {
  const std::string text = fmt::format("{}: {}: {}", path.string(), what, std::strerror(error));
  if (is_wrong_place(error)) throw ConfigError(text);
  throw WriteError(text);
}

TemporaryFile::TemporaryFile(fs::path target)
    : target_(std::move(target)),
      path_(target_.string() + "." + Owner::self().token() + std::string(kSuffix)) {
  interrupt_.emplace(path_);
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be written");
}

TemporaryFile::~TemporaryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(path_.c_str());
}

void TemporaryFile::write(const void* data, size_t bytes) {
  const auto* cursor = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, cursor, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("cannot be written");
    cursor += written;
    bytes -= static_cast<size_t>(written);
  }
}

void TemporaryFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be synced to disk");
  // Some network file systems tell of a full disk only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be written");
  if (::rename(path_.c_str(), target_.c_str()) != 0) fail("cannot be put in place");
  committed_ = true;
  interrupt_.reset();
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  // EINVAL: a file system without sync of folders.
  const bool synced = ::fsync(folder) == 0 || errno == EINVAL;
  ::close(folder);
  if (!synced) fail("its folder cannot be synced to disk");
}

void TemporaryFile::fail(const char* what) const {
  write_failed(target_, what, errno);
}

void remove_leftovers(const fs::path& folder, const std::string& prefix) noexcept {
  try {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (std::error_code failed; is_leftover(it->path(), prefix)) fs::remove(it->path(), failed);
  } catch (const std::exception&) {
    // They stay until the next time.
  }
}

void set_aside(const fs::path& path) noexcept {
  std::error_code ignored;
  fs::rename(path, path.string() + ".damaged", ignored);
}

}  // namespace wkvq
