#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/tokenizers/added_tokens.h"
#include "datasets/tokenizers/bpe.h"
#include "datasets/tokenizers/decoder.h"
#include "datasets/tokenizers/normalizer.h"
#include "datasets/tokenizers/post_processor.h"
#include "datasets/tokenizers/pre_tokenizer.h"
#include "datasets/tokenizers/tokenizer.h"
#include "datasets/tokenizers/tokenizer_config.h"

namespace wkvq {

/// The stages of a Hugging Face tokenizer around a BPE model.
struct BpeStages {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  BpeData bpe;
  std::vector<AddedToken> added_tokens;
  PostProcessor post_processor;
  Decoder decoder;
  std::string where;  ///< begins the messages of ConfigErrors
  std::string fingerprint;
};

/// tokenizer.json, or the pair vocab.json and merges.txt.
class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(BpeStages stages, const TokenizerConfig& config);

  std::vector<int32_t> encode(std::string_view text, bool add_special) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
  int64_t bos_token() const override { return bos_; }
  int64_t eos_token() const override { return eos_; }
  bool adds_bos() const override;
  std::string fingerprint() const override { return stages_.fingerprint; }

 private:
  void add_tokens(const TokenizerConfig& config);
  int32_t find(const std::string& token, const char* role) const;
  void apply_config(const TokenizerConfig& config);
  void encode_text(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const;

  BpeStages stages_;
  Bpe bpe_;
  AddedTokens raw_;         // searched for in the text as given
  AddedTokens normalized_;  // searched for in normalized text
  std::vector<std::string> tokens_;
  int32_t bos_ = -1;
  int32_t eos_ = -1;
  mutable LastingWordCache cache_;
};

/// Reads `path`, a tokenizer.json.
std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path,
                                               const TokenizerConfig& config);

/// Reads vocab.json and merges.txt of `folder` as the class that tokenizer_config.json names:
/// GPT2Tokenizer (also where none is named and config.json is of no Qwen model) or Qwen2Tokenizer.
/// ConfigError for any other.
std::unique_ptr<Tokenizer> load_bpe_files(const std::filesystem::path& folder,
                                          const TokenizerConfig& config);

}  // namespace wkvq
