#include <set>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/json/json.h"

namespace wkvq {
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
