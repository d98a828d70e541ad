#include "datasets/tokenizer.h"

#include "core/base/error.h"
#include "datasets/tokenizers/bpe_tokenizer.h"
#include "datasets/tokenizers/sentencepiece_tokenizer.h"
#include "datasets/tokenizers/tokenizer_config.h"

namespace wkvq {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const TokenizerConfig config = read_tokenizer_config(folder);
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (has("tokenizer.json")) return load_tokenizer_json(folder / "tokenizer.json", config);
  if (has("tokenizer.model")) {
    return std::make_unique<SentencePieceTokenizer>(folder / "tokenizer.model", config);
  }
  if (has("vocab.json") && has("merges.txt")) return load_bpe_files(folder, config);
  config_error(
      "{}: no tokenizer: expected tokenizer.json, tokenizer.model, or vocab.json with "
      "merges.txt",
      folder.string());
}

}  // namespace wkvq
