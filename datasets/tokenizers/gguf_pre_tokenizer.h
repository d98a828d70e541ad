#pragma once

#include <string>
#include <vector>

namespace wkvq {

/// How byte-level BPE of one published tokenizer prepares text.
struct GgufPreTokenizer {
  std::vector<std::string> names;        ///< values of `tokenizer.ggml.pre`
  std::vector<std::string> expressions;  ///< each cuts what the one before it left
  bool ignore_merges = false;            ///< a word in the vocabulary is one token
  bool add_bos = false;                  ///< where the metadata do not say
  bool nfc = false;                      ///< text is normalized to NFC first
};

/// ConfigError beginning with `where`, with the known names, for another name.
const GgufPreTokenizer& find_gguf_pre_tokenizer(const std::string& name, const std::string& where);

}  // namespace wkvq
