#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/safetensors.h"

namespace wkvq {
namespace {

/// A file under a temporary name; removed unless commit() is reached.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target)
      : target_(target), path_(target.string() + "." + std::to_string(getpid()) + ".tmp") {
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("cannot be written");
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) {
      close(descriptor_);
      unlink(path_.c_str());
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, size_t bytes) {
    const auto* cursor = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(descriptor_, cursor, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("cannot be written");
      cursor += written;
      bytes -= static_cast<size_t>(written);
    }
  }

  void commit() {
    if (fsync(descriptor_) != 0) fail("cannot be synced");
    if (rename(path_.c_str(), target_.c_str()) != 0) fail("cannot be renamed into place");
    close(descriptor_);
    descriptor_ = -1;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    config_error("{}: {}: {}", target_.string(), what, std::strerror(errno));
  }

  std::filesystem::path target_, path_;
  int descriptor_ = -1;
};

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  std::set<std::string> names;
  for (const TensorEntry& entry : tensors) {
    size_t expected = dtype_width(entry.dtype);
    for (int64_t extent : entry.shape) expected *= static_cast<size_t>(extent);
    if (dtype_width(entry.dtype) == 0 || expected != entry.bytes ||
        !names.insert(entry.name).second) {
      config_error("{}: tensor '{}' ({}, {} bytes): unknown dtype, wrong size or used twice",
                   path.string(), entry.name, entry.dtype, entry.bytes);
    }
    header[entry.name] = {{"dtype", entry.dtype},
                          {"shape", entry.shape},
                          {"data_offsets", {offset, offset + entry.bytes}}};
    offset += entry.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();

  TemporaryFile file(path);
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const TensorEntry& entry : tensors) file.write(entry.data, entry.bytes);
  file.commit();
}

}  // namespace wkvq
