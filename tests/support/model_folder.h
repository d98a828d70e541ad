#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/json/json.h"
#include "tests/support/catch.h"

namespace wkvq::test {

/// A copy of a committed tiny model whose parts a test may spoil.
class ModelFolder {
 public:
  explicit ModelFolder(const std::string& fixture) {
    const std::filesystem::path from = source("tests/golden/models") / fixture;
    std::filesystem::copy(from, folder_.path());
    std::filesystem::remove(folder_ / "golden.safetensors");
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  /// Sets a field of config.json (null removes its meaning).
  void set(const std::string& field, const nlohmann::json& value) {
    nlohmann::json config = read_json_file(folder_ / "config.json");
    config[field] = value;
    write_file(folder_ / "config.json", config.dump());
  }

  /// Rewrites model.safetensors with `change` applied to its list of tensors.
  template <class Change>
  void rewrite(Change&& change) {
    const std::filesystem::path path = folder_ / "model.safetensors";
    const SafetensorsFile file(path);
    std::vector<TensorEntry> tensors = file.tensors();
    change(tensors);
    write_safetensors(path, tensors, file.metadata());
  }

 private:
  TemporaryFolder folder_;
};

/// A safetensors file of `header` (its length in front) and `data_bytes` zeros.
inline std::string raw_safetensors(const std::string& header, size_t data_bytes) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return bytes + header + std::string(data_bytes, '\0');
}

}  // namespace wkvq::test
