#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tokenizers/tokenizer.h"

namespace wkvq {

/// Text out of tokens as they are written: watches for stop strings and gives out what can no
/// longer change. Special tokens BOS and EOS are no text.
class GeneratedText {
 public:
  /// `stop`: text that ends it, itself left out, wherever tokens begin and end; empty strings never
  /// do. `before`: tokens that the first one follows (a word's leading space shows only then).
  /// `tokenizer` outlives this.
  GeneratedText(const Tokenizer& tokenizer, std::vector<std::string> stop,
                std::vector<int32_t> before = {});

  /// Takes the next token in. False from the token on that completes a stop string.
  bool push(int32_t token);
  /// No token follows: bytes that wait for the rest of a character become U+FFFD.
  void finish();

  /// All of it so far, valid UTF-8: whole characters, up to a complete stop string.
  const std::string& text() const { return text_; }
  /// What text() has gained since the last take(), less an end that may become a stop string.
  std::string take();

 private:
  /// Decodes what is new; `last`: takes an incomplete character too.
  void decode(bool last);
  void cut_at_stop(size_t from);
  /// Bytes at the end of the text that a stop string begins with.
  size_t held_back() const;

  const Tokenizer& tokenizer_;
  std::vector<std::string> stop_;
  std::vector<int32_t> tokens_;
  size_t known_ = 0;  ///< text of the tokens before `read_` shows only beside these
  size_t read_ = 0;   ///< tokens whose text is in
  std::string text_;
  size_t taken_ = 0;
  bool stopped_ = false, finished_ = false;
};

/// The text of `tokens`, as GeneratedText has it at the end.
std::string generated_text(const Tokenizer& tokenizer, const std::vector<int32_t>& tokens,
                           const std::vector<std::string>& stop);

}  // namespace wkvq
