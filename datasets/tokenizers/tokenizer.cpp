#include "datasets/tokenizers/tokenizer.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/gguf/gguf.h"
#include "datasets/tokenizers/bpe_tokenizer.h"
#include "datasets/tokenizers/gguf_tokenizer.h"
#include "datasets/tokenizers/sentencepiece_tokenizer.h"
#include "datasets/tokenizers/tokenizer_config.h"

namespace wkvq {
namespace {

// Any of them says that a folder means to have a tokenizer.
constexpr std::array kFiles = {"tokenizer.json", "tokenizer.model", "vocab.json"};

}  // namespace

bool has_tokenizer(const std::filesystem::path& path) {
  if (is_gguf(path)) return has_gguf_tokenizer(path);
  return std::ranges::any_of(
      kFiles, [&](const char* name) { return std::filesystem::exists(path / name); });
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  if (is_gguf(path)) return load_gguf_tokenizer(path);
  const TokenizerConfig config = read_tokenizer_config(path);
  const auto has = [&](const char* name) { return std::filesystem::exists(path / name); };
  if (has("tokenizer.json")) return load_tokenizer_json(path / "tokenizer.json", config);
  if (has("tokenizer.model")) {
    return std::make_unique<SentencePieceTokenizer>(path / "tokenizer.model", config);
  }
  if (has("vocab.json") && has("merges.txt")) return load_bpe_files(path, config);
  config_error(
      "{}: no tokenizer: expected tokenizer.json, tokenizer.model, or vocab.json with "
      "merges.txt",
      path.string());
}

}  // namespace wkvq
