#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/checkpoint/model_config.h"
#include "core/base/checkpoint/safetensors.h"

namespace wkvq {

/// A tensor and the file that holds it.
struct StoredTensor {
  const TensorFile* file = nullptr;
  const TensorEntry* entry = nullptr;
  /// Rows 2i and 2i + 1 of each head are channels i and i + head_dim / 2 (llama in GGUF files).
  bool paired_rows = false;
};

/// The weights of a model: of a folder model.safetensors or, without it, the shards that
/// model.safetensors.index.json names, with what they hold beside its list; or a GGUF file with its
/// parts, whose tensors get the names that folders have. ConfigError for a missing file, a shard
/// outside the folder, a tensor that is in another shard than the index says.
class WeightFiles {
 public:
  explicit WeightFiles(const std::filesystem::path& path);

  /// By full name; checkpoints of the decoder alone lack the leading "model.". ConfigError where
  /// there is none.
  const StoredTensor& at(const std::string& name) const;

  /// What the files hold wins over `tie_word_embeddings` of config.json, as in transformers 5: a
  /// head beside an embedding of other values unties `config`, and one that is stored alone stands
  /// for the embedding too. To be called before verify().
  void settle_head(ModelConfig& config);

  /// Holds exactly the tensors that `config` asks for, with their shapes and a type of numbers.
  /// ConfigError names the first that is missing, wrong or superfluous. Buffers that older
  /// versions of transformers stored (rotary_emb, masked_bias) are no weights.
  void verify(const ModelConfig& config) const;

  /// Size of all files.
  int64_t stored_bytes() const;

  /// The stored types, "BF16" or "BF16, F32".
  std::string dtypes() const;

  /// 32 hexadecimal digits: XXH3-128 over config.json and the end tokens that
  /// generation_config.json adds, or all in front of the data of a GGUF file; names, types and
  /// shapes; and the data. Of a file above 256 MB the data is sampled: its first and last MiB and
  /// 64 more evenly spaced.
  std::string fingerprint() const;

 private:
  void open_single(const std::filesystem::path& path);
  void open_shards(const std::filesystem::path& index);
  void open_gguf_files();
  const StoredTensor* find(const std::string& name) const;
  /// Compares all bytes where they are equal.
  bool has_other_head() const;

  std::filesystem::path folder_;  ///< or the GGUF file
  std::string gguf_headers_;
  std::vector<std::unique_ptr<TensorFile>> files_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> missing_;  ///< in the index alone; where it should be
};

}  // namespace wkvq
