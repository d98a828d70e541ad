#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/tokenizers/added_tokens.h"

namespace wkvq {

/// What tokenizer_config.json says; a member is absent where the file does not have it. Where it
/// has no `added_tokens_decoder`, added_tokens.json and special_tokens_map.json fill in, as in
/// transformers.
struct TokenizerConfig {
  std::string bytes;            ///< the file, empty where there is none
  std::string more_bytes;       ///< of the files that fill in
  std::string where;            ///< its name in messages
  std::string tokenizer_class;  ///< empty where absent
  std::optional<std::string> bos_token, eos_token, unk_token;
  std::optional<bool> add_bos_token, add_eos_token, legacy, add_prefix_space;
  std::vector<AddedToken> added_tokens;  ///< `added_tokens_decoder`

  /// True for the classes that build their own post-processor from add_bos_token (true where
  /// absent) and add_eos_token (false): LlamaTokenizer and LlamaTokenizerFast. All other classes
  /// leave BOS to the post-processor of tokenizer.json and ignore add_bos_token.
  bool llama() const {
    return tokenizer_class == "LlamaTokenizer" || tokenizer_class == "LlamaTokenizerFast";
  }
};

/// Reads `folder`/tokenizer_config.json and what fills in; each may be missing.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

}  // namespace wkvq
