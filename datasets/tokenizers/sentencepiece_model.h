#pragma once

#include <string>
#include <string_view>

namespace wkvq {

/// What a tokenizer.model says that the SentencePiece library does not tell.
struct SentencePieceModel {
  bool bpe = false;
  bool dummy_prefix = true;    ///< a space goes in front of every text
  bool removes_spaces = true;  ///< at both ends, and all but one of a run
  bool plain = false;          ///< no other normalization than writing spaces as U+2581
};

/// Reads the serialized ModelProto `bytes`. ConfigError beginning with `where` where it is
/// malformed.
SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& where);

}  // namespace wkvq
