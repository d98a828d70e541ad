#define PCRE2_CODE_UNIT_WIDTH 8
#include "datasets/tokenizers/pattern.h"

#include <pcre2.h>

#include <cctype>
#include <utility>

#include "core/base/error.h"

namespace wkvq {
namespace {

/// Rewrites an Oniguruma expression for PCRE2 and refuses what differs between the two.
class Translator {
 public:
  Translator(const std::string& in, const std::string& where) : in_(in), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape();
      } else if (in_class_) {
        class_character(c);
      } else if (c == '[') {
        open_class();
      } else if (c == '(') {
        group();
      } else if (c == '{') {
        repeat();
      } else if (c == '^' || c == '$') {
        refuse(1);
      } else {
        copy(1);
      }
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(size_t length) const {
    config_error("{}: '{}' at offset {} of the regex '{}' is not supported", where_,
                 in_.substr(at_, length), at_, in_);
  }
  void copy(size_t length) {
    out_ += in_.substr(at_, length);
    at_ += length;
  }
  bool follows(std::string_view text) const { return in_.compare(at_, text.size(), text) == 0; }

  void escape() {
    const char c = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    if (c == 's' || c == 'S') {
      // PCRE2's own \s contains U+180E, which lost White_Space in Unicode 6.3.
      out_ += c == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
      at_ += 2;
    } else if (c == 'p' || c == 'P') {
      const size_t close = in_.find('}', at_);
      const std::string name = close == std::string::npos || in_[at_ + 2] != '{'
                                   ? ""
                                   : in_.substr(at_ + 3, close - at_ - 3);
      const bool category = (name.size() == 1 || name.size() == 2) &&
                            std::string_view("LMNPSZC").find(name[0]) != std::string_view::npos;
      if (!category) refuse(2);
      copy(close + 1 - at_);
    } else if (c == 'd' || c == 'D' || c == 'r' || c == 'n' || c == 't' ||
               std::ispunct(static_cast<unsigned char>(c))) {
      copy(2);
    } else {
      refuse(2);
    }
  }

  void open_class() {
    in_class_ = true;
    copy(follows("[^") ? 2 : 1);
    if (follows("]")) refuse(1);
  }

  void class_character(char c) {
    if (c == '[' || follows("&&")) refuse(1);
    in_class_ = c != ']';
    copy(1);
  }

  void group() {
    if (!follows("(?") && !follows("(*")) return copy(1);
    for (const char* known : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (follows(known)) return copy(std::string_view(known).size());
    }
    refuse(3);
  }

  void repeat() {
    const size_t begin = at_;
    size_t end = at_ + 1;
    while (end < in_.size() && (std::isdigit(static_cast<unsigned char>(in_[end])) ||
                                (in_[end] == ',' && end > begin + 1))) {
      ++end;
    }
    if (end == begin + 1 || end >= in_.size() || in_[end] != '}') refuse(2);
    copy(end + 1 - begin);
    // Oniguruma reads a{2}+ as (?:a{2})+, PCRE2 as possessive.
    if (follows("+")) refuse(1);
  }

  const std::string& in_;
  const std::string& where_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
};

std::string message_of(int error) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(error, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Pattern Pattern::literal(const std::string& text, const std::string& where) {
  return Pattern(text, PCRE2_LITERAL, where);
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  return Pattern(Translator(expression, where).run(), PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, where);
}

Pattern::Pattern(const std::string& expression, unsigned options, const std::string& where)
    : where_(where) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                             options | PCRE2_UTF, &error, &offset, nullptr);
  if (!code->code) config_error("{}: '{}': {}", where, expression, message_of(error));
  uint32_t matches_nothing = 0;
  pcre2_pattern_info(code->code, PCRE2_INFO_MATCHEMPTY, &matches_nothing);
  if (matches_nothing || expression.empty()) {
    config_error("{}: '{}' can match the empty text; expected a pattern that cannot", where,
                 expression);
  }
  // Without JIT on this machine matching works too, only slower.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code_ = std::move(code);
}

void Pattern::each_match(std::string_view text, const OnMatch& on_match) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
  for (size_t at = 0; at < text.size(); at = span[1]) {
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int found = pcre2_match(code_->code, subject, text.size(), at, options, data.get(), nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      // The interpreter keeps its backtracking points on the heap.
      options |= PCRE2_NO_JIT;
      found = pcre2_match(code_->code, subject, text.size(), at, options, data.get(), nullptr);
    }
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0) config_error("{}: {}", where_, message_of(found));
    on_match(span[0], span[1]);
  }
}

}  // namespace wkvq
