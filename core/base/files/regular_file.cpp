#include "core/base/files/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

[[noreturn]] void cannot_read(const std::filesystem::path& path, int error) {
  if (error == ENOENT || error == ENOTDIR) config_error("{}: no such file", path.string());
  if (error == ENAMETOOLONG)
    config_error("{}: no such file: too long a name", shown(path.string()));
  config_error("{}: cannot be read: {}", path.string(), std::strerror(error));
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

void require_regular(const std::filesystem::path& path, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return;
  config_error("{}: {}, expected a regular file", path.string(), kind_of(status.st_mode));
}

}  // namespace

void require_regular_file(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) cannot_read(path, errno);
  require_regular(path, status);
}

int open_regular_file(const std::filesystem::path& path) {
  // Opening some devices has an effect, so what is there is looked at before.
  require_regular_file(path);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) cannot_read(path, errno);
  try {
    // It may have changed since.
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) cannot_read(path, errno);
    require_regular(path, status);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  return descriptor;
}

}  // namespace wkvq
