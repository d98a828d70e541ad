#include "core/base/files/tensor_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"

namespace wkvq {

TensorFile::TensorFile(const std::filesystem::path& path, size_t header_bytes,
                       std::string_view format)
    : path_(path) {
  const int descriptor = open_regular_file(path_);
  struct stat status {};
  size_ = fstat(descriptor, &status) == 0 ? static_cast<size_t>(status.st_size) : 0;
  void* address = MAP_FAILED;
  if (size_ > header_bytes) {
    address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int failure = errno;
  close(descriptor);
  if (size_ <= header_bytes) {
    config_error("{}: {} bytes, too short for a {} file", path_.string(), size_, format);
  }
  if (address == MAP_FAILED) config_error("{}: mmap: {}", path_.string(), std::strerror(failure));
  mapping_ = static_cast<const std::byte*>(address);
}

TensorFile::~TensorFile() {
  munmap(const_cast<std::byte*>(mapping_), size_);
}

void TensorFile::index_names() {
  places_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) places_.emplace(tensors_[i].name, i);
}

const TensorEntry* TensorFile::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &tensors_[found->second];
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
