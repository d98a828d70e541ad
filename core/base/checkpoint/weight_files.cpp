#include "core/base/checkpoint/weight_files.h"

#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include "core/base/checkpoint/gguf_config.h"
#include "core/base/checkpoint/model_tensors.h"
#include "core/base/error.h"
#include "core/base/gguf/gguf_fields.h"
#include "core/base/gguf/gguf_types.h"
#include "core/base/json/foreign_file.h"
#include "core/base/json/json.h"
#include "core/base/json/json_fields.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

constexpr std::string_view kPrefix = "model.";
constexpr size_t kHashWhole = 256'000'000;
constexpr size_t kBlock = size_t{1} << 20;
constexpr size_t kSampledBlocks = 64;

/// A name from an index must stay inside the model folder.
void check_shard_name(const std::filesystem::path& index, const std::string& name) {
  const bool plain = !name.empty() && name.find('/') == std::string::npos &&
                     name.find('\0') == std::string::npos && name.ends_with(".safetensors");
  if (!plain) {
    config_error("{}: weight_map names '{}', expected a .safetensors file of the same folder",
                 index.string(), shown(name));
  }
}

/// Tensors that published checkpoints hold beside the weights.
bool may_be_ignored(const std::string& name, const ModelConfig& config) {
  const bool buffer = name.find("rotary_emb.") != std::string::npos ||
                      name.ends_with("attn.masked_bias") || name.ends_with("attn.bias_mask");
  return buffer || (config.tie_embeddings && name == "lm_head.weight");
}

std::string without_prefix(const std::string& name) {
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

/// Streams bytes into XXH3-128.
class Hash {
 public:
  Hash() : state_(XXH3_createState()) { XXH3_128bits_reset(state_); }
  ~Hash() { XXH3_freeState(state_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  void add(std::string_view bytes) { XXH3_128bits_update(state_, bytes.data(), bytes.size()); }

  std::string digest() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  XXH3_state_t* state_;
};

/// Pages are given back tensor by tensor: the whole file would stand in memory.
void add_all(Hash& hash, const TensorFile& file) {
  const std::string_view bytes = file.bytes();
  size_t done = 0;
  for (const TensorEntry& entry : file.tensors()) {
    const auto end =
        static_cast<size_t>(reinterpret_cast<const char*>(entry.data) - bytes.data()) + entry.bytes;
    hash.add(bytes.substr(done, end - done));
    file.release(entry);
    done = end;
  }
  hash.add(bytes.substr(done));
}

void add_data(Hash& hash, const TensorFile& file) {
  const std::string_view bytes = file.bytes();
  if (bytes.size() <= kHashWhole) return add_all(hash, file);
  hash.add(bytes.substr(0, kBlock));
  const size_t step = (bytes.size() - kBlock) / (kSampledBlocks + 1);
  for (size_t i = 1; i <= kSampledBlocks; ++i) hash.add(bytes.substr(i * step, kBlock));
  hash.add(bytes.substr(bytes.size() - kBlock));
}

}  // namespace

WeightFiles::WeightFiles(const std::filesystem::path& path) : folder_(path) {
  if (is_gguf(path)) {
    open_gguf_files();
    return;
  }
  const std::filesystem::path single = path / "model.safetensors";
  const std::filesystem::path index = path / "model.safetensors.index.json";
  if (std::filesystem::exists(single)) {
    open_single(single);
  } else if (std::filesystem::exists(index)) {
    open_shards(index);
  } else {
    config_error("{}: neither model.safetensors nor model.safetensors.index.json{}", path.string(),
                 instead_of_model(path));
  }
}

void WeightFiles::open_single(const std::filesystem::path& path) {
  files_.push_back(std::make_unique<SafetensorsFile>(path));
  for (const TensorEntry& entry : files_.back()->tensors()) {
    tensors_[entry.name] = {files_.back().get(), &entry};
  }
}

void WeightFiles::open_shards(const std::filesystem::path& index) {
  const nlohmann::json json = read_json_file(index);
  const nlohmann::json* map = JsonFields(json, index.string()).find("weight_map");
  if (!map || !map->is_object() || map->empty()) {
    config_error("{}: no weight_map that names tensors", index.string());
  }
  std::map<std::string, std::set<std::string>> expected;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      config_error("{}: weight_map '{}' is not a file name", index.string(), shown(tensor));
    }
    check_shard_name(index, file.get<std::string>());
    expected[file.get<std::string>()].insert(tensor);
  }
  for (const auto& [name, tensors] : expected) {
    const std::filesystem::path path = folder_ / name;
    if (!std::filesystem::exists(path)) {
      config_error("{}: weight_map names {}, which is not there", index.string(), path.string());
    }
    files_.push_back(std::make_unique<SafetensorsFile>(path));
    std::set<std::string> absent = tensors;
    for (const TensorEntry& entry : files_.back()->tensors()) {
      // A tensor that the index does not name counts like the others, as in transformers.
      const bool elsewhere = !tensors.contains(entry.name) && map->contains(entry.name);
      if (elsewhere || tensors_.contains(entry.name)) {
        config_error("{}: tensor '{}' is here, but {} puts it {}", path.string(), shown(entry.name),
                     index.string(), elsewhere ? (*map)[entry.name].dump() : "into two files");
      }
      tensors_[entry.name] = {files_.back().get(), &entry};
      absent.erase(entry.name);
    }
    for (const std::string& tensor : absent) missing_[tensor] = path.string();
  }
}

void WeightFiles::open_gguf_files() {
  std::vector<std::unique_ptr<GgufFile>> parts = open_gguf(folder_);
  const GgufFields fields(parts[0]->metadata(), folder_.string());
  const std::string architecture = fields.text("general.architecture");
  for (std::unique_ptr<GgufFile>& part : parts) {
    gguf_headers_ += part->header();
    for (const TensorEntry& entry : part->tensors()) {
      if (entry.name == kGgufRopeFactors) continue;  // part of the configuration
      const auto [name, paired_rows] = gguf_place(entry.name, architecture);
      tensors_[name] = {part.get(), &entry, paired_rows};
    }
    files_.push_back(std::move(part));
  }
}

const StoredTensor* WeightFiles::find(const std::string& name) const {
  auto found = tensors_.find(name);
  if (found == tensors_.end()) found = tensors_.find(without_prefix(name));
  return found == tensors_.end() ? nullptr : &found->second;
}

const StoredTensor& WeightFiles::at(const std::string& name) const {
  if (const StoredTensor* tensor = find(name)) return *tensor;
  const auto promised = missing_.find(name);
  if (promised != missing_.end()) {
    config_error("{}: no tensor '{}', which the index puts here", promised->second, name);
  }
  config_error("{}: no tensor '{}'", folder_.string(), name);
}

void WeightFiles::settle_head(ModelConfig& config) {
  if (!config.tie_embeddings) return;
  const StoredTensor* head = find("lm_head.weight");
  if (head && !find("model.embed_tokens.weight"))
    tensors_["model.embed_tokens.weight"] = StoredTensor(*head);
  config.tie_embeddings = !has_other_head();
}

bool WeightFiles::has_other_head() const {
  const StoredTensor* head = find("lm_head.weight");
  const StoredTensor* embedding = find("model.embed_tokens.weight");
  if (!head || !embedding) return false;
  const TensorEntry& left = *head->entry;
  const TensorEntry& right = *embedding->entry;
  const bool equal = left.dtype == right.dtype && left.shape == right.shape &&
                     left.bytes == right.bytes &&
                     (left.bytes == 0 || std::memcmp(left.data, right.data, left.bytes) == 0);
  head->file->release(left);
  embedding->file->release(right);
  return !equal;
}

void WeightFiles::verify(const ModelConfig& config) const {
  std::vector<TensorSpec> specs = outer_tensors(config);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::vector<TensorSpec> block = block_tensors(config, layer);
    std::move(block.begin(), block.end(), std::back_inserter(specs));
  }
  std::set<const TensorEntry*> known;
  for (const TensorSpec& spec : specs) {
    const StoredTensor& tensor = at(spec.name);
    const std::string file = tensor.file->path().string();
    if (tensor.entry->shape != spec.shape) {
      config_error("{}: tensor '{}' has shape [{}], expected [{}]", file, tensor.entry->name,
                   shown(fmt::format("{}", fmt::join(tensor.entry->shape, ", "))),
                   fmt::join(spec.shape, ", "));
    }
    const std::string& dtype = tensor.entry->dtype;
    if (dtype != "F64" && dtype != "F32" && dtype != "F16" && dtype != "BF16" &&
        !find_gguf_type(dtype)) {
      config_error("{}: tensor '{}' is {}; known: F64, F32, F16, BF16", file, tensor.entry->name,
                   dtype);
    }
    known.insert(tensor.entry);
  }
  for (const auto& [name, file] : missing_)
    if (!may_be_ignored(name, config)) at(name);
  for (const auto& [name, tensor] : tensors_) {
    if (known.contains(tensor.entry) || may_be_ignored(name, config)) continue;
    config_error("{}: tensor '{}' is not part of family {} as {} describes it",
                 tensor.file->path().string(), shown(tensor.entry->name), config.family,
                 is_gguf(folder_) ? "the metadata" : "config.json");
  }
}

int64_t WeightFiles::stored_bytes() const {
  size_t bytes = 0;
  for (const auto& file : files_) bytes += file->bytes().size();
  return static_cast<int64_t>(bytes);
}

std::string WeightFiles::dtypes() const {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.insert(tensor.entry->dtype);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string WeightFiles::fingerprint() const {
  Hash hash;
  hash.add(is_gguf(folder_) ? gguf_headers_ : read_text_file(folder_ / "config.json"));
  for (const int64_t token : read_model_config(folder_).further_end_tokens)
    hash.add(fmt::format("end {}\n", token));
  for (const auto& [name, tensor] : tensors_) {
    hash.add(fmt::format("{} {} [{}]\n", name, tensor.entry->dtype,
                         fmt::join(tensor.entry->shape, ",")));
  }
  for (const auto& file : files_) {
    add_data(hash, *file);
    for (const TensorEntry& entry : file->tensors()) file->release(entry);
  }
  return hash.digest();
}

}  // namespace wkvq
