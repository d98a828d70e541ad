#include "core/base/gguf/gguf.h"

#include <algorithm>
#include <bit>
#include <set>

#include "core/base/error.h"
#include "core/base/gguf/gguf_fields.h"
#include "core/base/gguf/gguf_reader.h"
#include "core/base/gguf/gguf_types.h"

namespace wkvq {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr size_t kFixedBytes = 24;
constexpr uint64_t kMaxKey = 65535;
constexpr uint64_t kMaxName = 64;
constexpr uint32_t kMaxExtents = 4;
constexpr uint64_t kLeastEntry = 8 + 1 + 4 + 8 + 4 + 8;  // of a tensor with a name of one letter
constexpr int64_t kMaxAlignment = 1 << 16;
constexpr int64_t kMaxParts = 99'999;

/// One line of the list of tensors, before their data are known.
struct Description {
  TensorEntry entry;
  uint64_t offset = 0;
};

Description read_description(GgufReader& reader) {
  Description result;
  TensorEntry& entry = result.entry;
  entry.name = reader.name(kMaxName, "tensor");
  const auto refuse = [&](const std::string& text) {
    config_error("{}: tensor '{}': {}", reader.file(), entry.name, text);
  };
  const auto extents = reader.number<uint32_t>();
  if (extents < 1 || extents > kMaxExtents) {
    refuse(fmt::format("{} dimensions, expected 1 to {}", extents, kMaxExtents));
  }
  int64_t elements = 1;
  for (uint32_t i = 0; i < extents; ++i) {
    const auto extent = reader.number<int64_t>();
    if (extent < 1 || __builtin_mul_overflow(elements, extent, &elements)) {
      refuse(fmt::format("dimension {} of {} elements", i, static_cast<uint64_t>(extent)));
    }
    entry.shape.insert(entry.shape.begin(), extent);
  }
  const auto id = reader.number<uint32_t>();
  const GgufType* type = find_gguf_type(id);
  if (!type) {
    refuse(
        fmt::format("type {} is not supported; known: {}", gguf_type_text(id), gguf_type_names()));
  }
  entry.dtype = type->name;
  const int64_t columns = entry.shape.back();
  if (columns % type->block != 0) {
    refuse(fmt::format("rows of {} elements, expected a multiple of {} ({})", columns, type->block,
                       type->name));
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(elements / type->block, type->bytes, &bytes)) {
    refuse(fmt::format("{} elements are too many", elements));
  }
  entry.bytes = static_cast<size_t>(bytes);
  result.offset = reader.number<uint64_t>();
  return result;
}

uint64_t rounded_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Gives each tensor its data: in order, each at the first multiple of the alignment behind the one
/// before it, the last one at the end of the file (some writers fill up after it too).
void place(std::vector<Description>& list, std::string_view data, uint64_t alignment,
           const std::string& file) {
  uint64_t end = 0;
  for (Description& tensor : list) {
    const uint64_t expected = rounded_up(end, alignment);
    if (tensor.offset != expected) {
      config_error("{}: tensor '{}' begins at {} of the data, expected {}", file, tensor.entry.name,
                   tensor.offset, expected);
    }
    if (expected > data.size() || tensor.entry.bytes > data.size() - expected) {
      config_error("{}: tensor '{}' needs {} bytes at {} of the data, which has {}", file,
                   tensor.entry.name, tensor.entry.bytes, expected, data.size());
    }
    tensor.entry.data = reinterpret_cast<const std::byte*>(data.data()) + expected;
    end = expected + tensor.entry.bytes;
  }
  if (data.size() > rounded_up(end, alignment)) {
    config_error("{}: {} bytes of data, but its tensors hold {}", file, data.size(), end);
  }
}

/// Reads magic, version and the two counts: tensors and metadata.
std::pair<uint64_t, uint64_t> read_counts(GgufReader& reader) {
  if (reader.take(kMagic.size()) != kMagic) {
    config_error("{}: not a GGUF file (it does not begin with 'GGUF')", reader.file());
  }
  const auto version = reader.number<uint32_t>();
  if (version != 2 && version != 3) {
    config_error("{}: GGUF version {}{}, expected 2 or 3", reader.file(), version,
                 version > 0 && version % 65536 == 0 ? " (a big-endian file)" : "");
  }
  const auto tensors = reader.number<uint64_t>();
  const auto values = reader.number<uint64_t>();
  return {tensors, values};
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : TensorFile(path, kFixedBytes - 1, "GGUF") {
  const std::string file = path.string();
  GgufReader reader(bytes(), file);
  const auto [tensors, values] = read_counts(reader);
  for (uint64_t i = 0; i < values; ++i) {
    const std::string key = reader.name(kMaxKey, "metadata key");
    if (!metadata_.emplace(key, reader.value(key)).second) {
      config_error("{}: metadata '{}' is given twice", file, key);
    }
  }
  if (tensors > (bytes().size() - reader.at()) / kLeastEntry) {
    config_error("{}: {} tensors, more than {} bytes can describe", file, tensors,
                 bytes().size() - reader.at());
  }
  std::vector<Description> list;
  std::set<std::string> names;
  for (uint64_t i = 0; i < tensors; ++i) {
    list.push_back(read_description(reader));
    if (!names.insert(list.back().entry.name).second) {
      config_error("{}: tensor '{}' is given twice", file, list.back().entry.name);
    }
  }
  const GgufFields fields(metadata_, file);
  const int64_t alignment = fields.integer_or("general.alignment", 32, 1, kMaxAlignment);
  if (!std::has_single_bit(static_cast<uint64_t>(alignment))) {
    fields.refuse("general.alignment", "expected a power of two");
  }
  header_ = bytes().substr(0, reader.at());
  // A file without tensors may end with its header.
  const uint64_t begin = rounded_up(reader.at(), static_cast<uint64_t>(alignment));
  place(list, bytes().substr(std::min<uint64_t>(begin, bytes().size())),
        static_cast<uint64_t>(alignment), file);
  for (Description& tensor : list) tensors_.push_back(std::move(tensor.entry));
  index_names();
}

bool is_gguf(const std::filesystem::path& path) {
  return path.extension() == ".gguf";
}

std::vector<std::unique_ptr<GgufFile>> open_gguf(const std::filesystem::path& path) {
  std::vector<std::unique_ptr<GgufFile>> files;
  files.push_back(std::make_unique<GgufFile>(path));
  const GgufFields first(files[0]->metadata(), path.string());
  const int64_t count = first.integer_or("split.count", 1, 0, kMaxParts);
  if (count <= 1) return files;
  const std::string name = path.filename().string();
  const std::string tail = fmt::format("-00001-of-{:05}.gguf", count);
  if (first.integer("split.no", 0, kMaxParts) != 0 || !name.ends_with(tail)) {
    config_error("{}: one of {} parts of a model; expected the first, NAME{}", path.string(), count,
                 tail);
  }
  const std::string stem = name.substr(0, name.size() - tail.size());
  std::set<std::string> names;
  for (int64_t part = 0; part < count; ++part) {
    if (part > 0) {
      const auto next =
          path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, count);
      files.push_back(std::make_unique<GgufFile>(next));
    }
    const GgufFile& file = *files.back();
    const GgufFields fields(file.metadata(), file.path().string());
    if (fields.integer("split.no", 0, kMaxParts) != part) {
      fields.refuse("split.no", fmt::format("expected {}", part));
    }
    if (fields.integer("split.count", 0, kMaxParts) != count) {
      fields.refuse("split.count", fmt::format("expected {}", count));
    }
    for (const TensorEntry& entry : file.tensors()) {
      if (!names.insert(entry.name).second) {
        config_error("{}: tensor '{}' is in an earlier part too", file.path().string(), entry.name);
      }
    }
  }
  const int64_t all = first.integer("split.tensors.count", 0, INT64_MAX);
  if (all != static_cast<int64_t>(names.size())) {
    first.refuse("split.tensors.count", fmt::format("its parts hold {}", names.size()));
  }
  return files;
}

}  // namespace wkvq
