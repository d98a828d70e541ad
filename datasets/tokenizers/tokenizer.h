#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// Text to token ids and back. One object may be used from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Token ids of UTF-8 `text`; each ill-formed part of it (maximal subpart, as Python's
  /// errors="replace") counts as U+FFFD. Special tokens written out in the text are recognised as
  /// Hugging Face tokenizers do. `add_special`: apply the post-processor (BOS and the like) that
  /// the tokenizer's files ask for. `add_bos_token: false` of tokenizer_config.json always counts;
  /// the fast classes of transformers read it for LlamaTokenizer only and let the post-processor
  /// of tokenizer.json decide otherwise.
  virtual std::vector<int32_t> encode(std::string_view text, bool add_special) const = 0;

  /// The text of `ids`; special tokens are written out, ids outside the vocabulary left out.
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;

  virtual int64_t vocab_size() const = 0;  ///< every id is below it
  virtual int64_t bos_token() const = 0;   ///< -1: none
  virtual int64_t eos_token() const = 0;   ///< -1: none

  /// True where encode(..., true) puts BOS in front.
  virtual bool adds_bos() const = 0;

  /// Hash of the files that define it.
  virtual std::string fingerprint() const = 0;
};

/// False where the model at `path`, a folder or a GGUF file, comes without a tokenizer.
bool has_tokenizer(const std::filesystem::path& path);

/// Loads tokenizer.json of a folder or, without it, tokenizer.model, or vocab.json with merges.txt
/// (GPT-2, Qwen2); of a GGUF file what its metadata say. ConfigError names the file and the
/// component that is not supported.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

}  // namespace wkvq
