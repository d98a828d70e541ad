#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// One entry of a SentencePiece vocabulary; its id is its place.
struct SentencePiece {
  std::string_view text;
  float score = 0.0F;
  /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
  int type = 1;
};

/// A serialized ModelProto (sentencepiece_model.proto) of a BPE model that falls back to bytes
/// where `pieces` have them. Text is not normalized but for spaces, written as U+2581;
/// `prefix_space` puts one in front.
std::string write_sentencepiece_model(const std::vector<SentencePiece>& pieces, bool prefix_space);

}  // namespace wkvq
