#include "datasets/tokenizers/generated_text.h"

#include <algorithm>

#include "datasets/tokenizers/unicode.h"

namespace wkvq {

namespace {

// Tokens in front of the new ones that decoders look at: SentencePiece joins bytes of one
// character, and drops the space of the first token.
constexpr size_t kContext = 8;

const std::string kReplacement = "\xEF\xBF\xBD";

}  // namespace

GeneratedText::GeneratedText(const Tokenizer& tokenizer, std::vector<std::string> stop,
                             std::vector<int32_t> before)
    : tokenizer_(tokenizer), stop_(std::move(stop)), tokens_(std::move(before)) {
  std::erase(stop_, std::string());
  read_ = tokens_.size();
  known_ = read_ - std::min(read_, kContext);
}

bool GeneratedText::push(int32_t token) {
  if (stopped_) return false;
  if (token == tokenizer_.bos_token() || token == tokenizer_.eos_token()) return true;
  tokens_.push_back(token);
  decode(false);
  return !stopped_;
}

void GeneratedText::finish() {
  if (!stopped_) decode(true);
  finished_ = true;
}

void GeneratedText::decode(bool last) {
  const auto text_of = [&](size_t end) {
    return repair_utf8(tokenizer_.decode({tokens_.begin() + static_cast<std::ptrdiff_t>(known_),
                                          tokens_.begin() + static_cast<std::ptrdiff_t>(end)}));
  };
  const std::string before = text_of(read_), after = text_of(tokens_.size());
  // An incomplete character reads as U+FFFD; so does a whole one that was written, which is then
  // only told with the next token.
  if (!last && after.ends_with(kReplacement)) return;
  const size_t known = text_.size();
  if (after.size() > before.size()) text_ += after.substr(before.size());
  known_ = std::max(known_, tokens_.size() - std::min(tokens_.size(), kContext));
  // What stands in front of the window must have been read, or its text would be lost.
  known_ = std::min(known_, read_);
  read_ = tokens_.size();
  cut_at_stop(known);
}

void GeneratedText::cut_at_stop(size_t from) {
  size_t first = std::string::npos;
  for (const std::string& stop : stop_) {
    const size_t begin = from - std::min(from, stop.size() - 1);
    first = std::min(first, text_.find(stop, begin));
  }
  if (first == std::string::npos) return;
  text_.resize(first);
  stopped_ = true;
}

size_t GeneratedText::held_back() const {
  if (stopped_ || finished_) return 0;
  size_t held = 0;
  for (const std::string& stop : stop_)
    for (size_t n = std::min(stop.size() - 1, text_.size()); n > held; --n)
      if (text_.ends_with(stop.substr(0, n))) held = n;
  return held;
}

std::string GeneratedText::take() {
  const size_t end = text_.size() - held_back();
  if (end <= taken_) return {};
  std::string fresh = text_.substr(taken_, end - taken_);
  taken_ = end;
  return fresh;
}

std::string generated_text(const Tokenizer& tokenizer, const std::vector<int32_t>& tokens,
                           const std::vector<std::string>& stop) {
  GeneratedText text(tokenizer, stop);
  for (const int32_t token : tokens)
    if (!text.push(token)) break;
  text.finish();
  return text.text();
}

}  // namespace wkvq
