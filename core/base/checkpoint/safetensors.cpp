#include "core/base/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/json/foreign_file.h"
#include "core/base/json/json.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

constexpr std::array<std::pair<std::string_view, size_t>, 14> kWidths = {{
    {"F64", 8},
    {"F32", 4},
    {"F16", 2},
    {"BF16", 2},
    {"I64", 8},
    {"I32", 4},
    {"I16", 2},
    {"I8", 1},
    {"U64", 8},
    {"U32", 4},
    {"U16", 2},
    {"U8", 1},
    {"F8_E4M3", 1},
    {"BOOL", 1},
}};

/// Element count of `shape`, or -1 where it overflows.
int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return -1;
  }
  return count;
}

/// Bytes that dtype and shape ask for, or -1 where they overflow.
int64_t expected_bytes(const TensorEntry& entry) {
  int64_t count = element_count(entry.shape);
  const auto width = static_cast<int64_t>(dtype_width(entry.dtype));
  if (count < 0 || __builtin_mul_overflow(count, width, &count)) return -1;
  return count;
}

/// Reads one header entry; `where` starts every message.
class EntryReader {
 public:
  EntryReader(const std::string& file, const std::string& name, const nlohmann::json& json)
      : where_(fmt::format("{}: tensor '{}'", file, shown(name))), json_(json) {
    if (!json.is_object()) config_error("{}: not an object: {}", where_, shown(json.dump()));
    for (const auto& [key, value] : json.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        config_error("{}: unknown key '{}'; known: dtype, shape, data_offsets", where_, shown(key));
      }
    }
  }

  std::string dtype() const {
    const nlohmann::json& value = member("dtype");
    if (!value.is_string() || dtype_width(value.get<std::string>()) == 0) {
      config_error("{}: dtype {} is not known", where_, shown(value.dump()));
    }
    return value.get<std::string>();
  }

  std::vector<int64_t> shape() const { return integers("shape"); }

  std::pair<int64_t, int64_t> offsets(int64_t data_bytes) const {
    const std::vector<int64_t> pair = integers("data_offsets");
    if (pair.size() != 2) {
      config_error("{}: data_offsets has {} numbers, expected 2", where_, pair.size());
    }
    if (pair[0] > pair[1] || pair[1] > data_bytes) {
      config_error("{}: data_offsets [{}, {}) are outside the data of {} bytes", where_, pair[0],
                   pair[1], data_bytes);
    }
    return {pair[0], pair[1]};
  }

  const std::string& where() const { return where_; }

 private:
  const nlohmann::json& member(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) config_error("{}: no '{}'", where_, key);
    return *found;
  }

  std::vector<int64_t> integers(const char* key) const {
    const nlohmann::json& list = member(key);
    if (!list.is_array()) config_error("{}: {} is not a list: {}", where_, key, shown(list.dump()));
    std::vector<int64_t> values;
    for (const nlohmann::json& item : list) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) {
        config_error("{}: {} holds {}, expected non-negative integers", where_, key,
                     shown(item.dump()));
      }
      values.push_back(item.get<int64_t>());
    }
    return values;
  }

  std::string where_;
  const nlohmann::json& json_;
};

void check_no_gaps(const std::string& file, const std::vector<TensorEntry>& tensors,
                   const std::byte* data, size_t data_bytes) {
  const std::byte* end = data;
  for (const TensorEntry& entry : tensors) {
    if (entry.data != end) {
      config_error("{}: tensor '{}' {} the tensor before it (begins at {}, expected {})", file,
                   shown(entry.name), entry.data < end ? "overlaps" : "leaves a hole after",
                   entry.data - data, end - data);
    }
    end += entry.bytes;
  }
  if (end != data + data_bytes) {
    config_error("{}: {} bytes of data, but its tensors hold {}", file, data_bytes, end - data);
  }
}

}  // namespace

size_t dtype_width(std::string_view dtype) {
  for (const auto& [name, width] : kWidths) {
    if (name == dtype) return width;
  }
  return 0;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : TensorFile(path, kLengthBytes, "safetensors") {
  parse_header();
}

void SafetensorsFile::parse_header() {
  const std::string file = path().string();
  const size_t size = bytes().size();
  uint64_t length = 0;
  std::memcpy(&length, bytes().data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > size - kLengthBytes) {
    refuse_foreign(path(), bytes().substr(0, 512));
    config_error("{}: header length {}, expected at most {} (the file has {} bytes)", file, length,
                 std::min<uint64_t>(kMaxHeaderBytes, size - kLengthBytes), size);
  }
  const std::string_view text = bytes().substr(kLengthBytes, length);
  if (text.empty() || text.front() != '{') {
    refuse_foreign(path(), bytes().substr(0, 512));
    config_error("{}: header does not start with '{{'", file);
  }
  const nlohmann::json header = parse_json(text, file);
  const auto* data = reinterpret_cast<const std::byte*>(bytes().data()) + kLengthBytes + length;
  const size_t data_bytes = size - kLengthBytes - length;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      if (!json.is_object()) config_error("{}: __metadata__ is not an object", file);
      for (const auto& [key, value] : json.items()) {
        if (!value.is_string())
          config_error("{}: __metadata__ '{}' is not a string", file, shown(key));
        metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    const EntryReader reader(file, name, json);
    const auto [begin, end] = reader.offsets(static_cast<int64_t>(data_bytes));
    TensorEntry entry{name, reader.dtype(), reader.shape(), data + begin,
                      static_cast<size_t>(end - begin)};
    if (expected_bytes(entry) != end - begin) {
      config_error("{}: data_offsets hold {} bytes, but {} {} needs {}", reader.where(),
                   end - begin, entry.dtype, shown(json["shape"].dump()), expected_bytes(entry));
    }
    tensors_.push_back(std::move(entry));
  }
  // Empty tensors share their begin with the next one: they must come first.
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const auto& left, const auto& right) {
    return std::pair(left.data, left.bytes) < std::pair(right.data, right.bytes);
  });
  check_no_gaps(file, tensors_, data, data_bytes);
  index_names();
}

}  // namespace wkvq
