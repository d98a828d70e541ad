#include "core/base/tensor_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace wkvq {

TensorFile::TensorFile(const std::filesystem::path& path, size_t header_bytes,
                       std::string_view format)
    : path_(path) {
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) config_error("{}: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  const bool regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  size_ = regular ? static_cast<size_t>(status.st_size) : 0;
  void* address = MAP_FAILED;
  if (size_ > header_bytes) {
    address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int failure = errno;
  close(descriptor);
  if (!regular) config_error("{}: not a regular file", path_.string());
  if (size_ <= header_bytes) {
    config_error("{}: {} bytes, too short for a {} file", path_.string(), size_, format);
  }
  if (address == MAP_FAILED) config_error("{}: mmap: {}", path_.string(), std::strerror(failure));
  mapping_ = static_cast<const std::byte*>(address);
}

TensorFile::~TensorFile() {
  munmap(const_cast<std::byte*>(mapping_), size_);
}

const TensorEntry* TensorFile::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const TensorEntry& entry) { return entry.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

const TensorEntry& TensorFile::at(std::string_view name) const {
  if (const TensorEntry* entry = find(name)) return *entry;
  config_error("{}: no tensor '{}'", path_.string(), name);
}

std::string_view TensorFile::bytes() const {
  return {reinterpret_cast<const char*>(mapping_), size_};
}

void TensorFile::release(const TensorEntry& entry) const {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<size_t>(entry.data - mapping_);
  const size_t begin = offset / page * page;
  const size_t end = offset + entry.bytes;
  if (end > begin) madvise(const_cast<std::byte*>(mapping_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace wkvq
