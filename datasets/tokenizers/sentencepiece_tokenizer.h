#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/tokenizers/added_tokens.h"
#include "datasets/tokenizers/sentencepiece_model.h"
#include "datasets/tokenizers/tokenizer.h"
#include "datasets/tokenizers/tokenizer_config.h"
#include "datasets/tokenizers/word_cache.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace wkvq {

/// tokenizer.model (BPE or unigram) through the SentencePiece library, used the way Hugging Face's
/// LlamaTokenizer does: <unk>, <s>, </s> and the tokens of `added_tokens_decoder` are found in the
/// text first; each stretch between them is encoded by itself. `legacy` (true where absent): every
/// stretch gets SentencePiece's space in front; else only the beginning of the text does.
class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const std::filesystem::path& path, const TokenizerConfig& config);
  /// `bytes` in place of the content of `path`, which messages name.
  SentencePieceTokenizer(std::string bytes, const std::filesystem::path& path,
                         const TokenizerConfig& config);
  ~SentencePieceTokenizer() override;

  std::vector<int32_t> encode(std::string_view text, bool add_special) const override;
  /// Drops the spaces that encode() put in front.
  std::string decode(const std::vector<int32_t>& ids) const override;
  int64_t vocab_size() const override { return vocab_size_; }
  int64_t bos_token() const override { return bos_; }
  int64_t eos_token() const override { return eos_; }
  bool adds_bos() const override { return add_bos_; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  void load(const std::string& bytes, const std::filesystem::path& path);
  void read_config(const std::filesystem::path& path, const TokenizerConfig& config);
  int32_t piece(const std::string& text) const;
  bool no_piece_crosses_words() const;
  std::string with_marks(std::string_view text) const;
  std::string begin_modern(std::string_view text) const;
  void encode_text(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const;
  void encode_words(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const;
  void encode_whole(std::string_view text, std::vector<int32_t>& ids) const;
  void run_library(std::string_view text, size_t skipped, std::vector<int32_t>& ids) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::vector<AddedToken> added_;
  AddedTokens finder_;
  std::string fingerprint_;
  std::string unk_text_;
  size_t unk_text_length_ = 0;
  int64_t vocab_size_ = 0;
  int32_t bos_ = -1;
  int32_t eos_ = -1;
  bool add_bos_ = false;
  bool add_eos_ = false;
  bool legacy_ = true;
  bool prefix_space_ = true;
  SentencePieceModel model_;
  // Words between spaces may be encoded one by one; we, not the library, prepare the spaces then.
  bool by_words_ = false;
  mutable LastingWordCache cache_;
};

}  // namespace wkvq
