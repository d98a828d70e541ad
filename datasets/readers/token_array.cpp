#include "datasets/readers/token_array.h"

#include <fmt/ranges.h>

#include <limits>
#include <map>
#include <utility>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {

std::vector<int64_t> decode_integers(std::span<const std::byte> bytes, size_t width,
                                     bool is_signed) {
  std::vector<int64_t> values(bytes.size() / width);
  const unsigned unused = static_cast<unsigned>(64 - 8 * width);
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t bits = 0;
    for (size_t k = 0; k < width; ++k) {
      bits |= std::to_integer<uint64_t>(bytes[i * width + k]) << (8 * k);
    }
    if (is_signed) {
      values[i] = static_cast<int64_t>(bits << unused) >> unused;
    } else {
      constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
      values[i] = static_cast<int64_t>(std::min(bits, kMax));
    }
  }
  return values;
}

void require_token_count(uint64_t count, const std::string& where) {
  constexpr uint64_t kMost = uint64_t{1} << 30;  // 8 GiB while they are checked
  if (count > kMost) config_error("{}: {} token ids, expected at most {}", where, count, kMost);
}

TokenArray read_safetensors_tokens(const std::filesystem::path& path, const std::string& name) {
  static const std::map<std::string, std::pair<size_t, bool>> kTypes = {
      {"I8", {1, true}},  {"I16", {2, true}},  {"I32", {4, true}},  {"I64", {8, true}},
      {"U8", {1, false}}, {"U16", {2, false}}, {"U32", {4, false}}, {"U64", {8, false}}};
  const SafetensorsFile file(path);
  const TensorEntry* tensor = file.find(name);
  if (!tensor) {
    std::vector<std::string> names;
    for (const TensorEntry& entry : file.tensors()) names.push_back(entry.name);
    config_error("{}: no tensor '{}'; it has {}", path.string(), shown(name),
                 shown(fmt::format("{}", fmt::join(names, ", "))));
  }
  const auto type = kTypes.find(tensor->dtype);
  if (type == kTypes.end()) {
    config_error("{}: tensor '{}' is {}, expected integers", path.string(), name, tensor->dtype);
  }
  const auto [width, is_signed] = type->second;
  require_token_count(tensor->bytes / width, path.string());
  return {tensor->shape, decode_integers({tensor->data, tensor->bytes}, width, is_signed)};
}

}  // namespace wkvq
