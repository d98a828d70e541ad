#include "core/base/checkpoint/hashed_tensors.h"

#include "core/base/error.h"
#include "core/base/files/hash.h"

namespace wkvq {
namespace {

constexpr const char* kKey = "xxh3-128";

std::string hash_of(const std::vector<TensorEntry>& tensors) {
  Hasher hasher;
  for (const TensorEntry& entry : tensors) {
    hasher.add_part(entry.name).add_part(entry.dtype);
    hasher.add_part(
        {reinterpret_cast<const char*>(entry.shape.data()), entry.shape.size() * sizeof(int64_t)});
    hasher.add_part({reinterpret_cast<const char*>(entry.data), entry.bytes});
  }
  return hasher.hex();
}

}  // namespace

void write_hashed_tensors(const std::filesystem::path& path,
                          const std::vector<TensorEntry>& tensors) {
  write_safetensors(path, tensors, {{kKey, hash_of(tensors)}});
}

void check_hash(const SafetensorsFile& file) {
  const auto hash = file.metadata().find(kKey);
  if (hash != file.metadata().end() && hash->second != hash_of(file.tensors()))
    config_error("{}: damaged: its content is not what was written", file.path().string());
}

}  // namespace wkvq
