#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// Takes one stretch of text; `at_start` where it begins the whole text.
using PieceSink = std::function<void(std::string_view piece, bool at_start)>;

/// One way to cut (and possibly rewrite) a stretch of text.
class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  /// Calls `sink` for each piece in order; a piece lives as long as the call.
  virtual void split(std::string_view text, bool at_start, const PieceSink& sink) const = 0;
};

/// Cuts normalized text into the words inside which BPE merges: the `pre_tokenizer` of
/// tokenizer.json. Known: ByteLevel, Digits, Metaspace, Sequence, Split.
class PreTokenizer {
 public:
  /// Leaves text in one piece.
  PreTokenizer() = default;
  explicit PreTokenizer(const JsonNode& node);

  void split(std::string_view text, bool at_start, const PieceSink& sink) const;

  /// True where words are to be looked up in the byte-level alphabet.
  bool byte_level() const { return byte_level_; }

 private:
  void add(const JsonNode& node, int depth);
  void add_byte_level(const JsonNode& node);
  void run(size_t step, std::string_view text, bool at_start, const PieceSink& sink) const;

  std::vector<std::unique_ptr<PreTokenizerStep>> steps_;
  bool byte_level_ = false;
};

}  // namespace wkvq
