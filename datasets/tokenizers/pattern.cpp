#define PCRE2_CODE_UNIT_WIDTH 8
#include "datasets/tokenizers/pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <utility>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

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
                 in_.substr(at_, length), at_, shown(in_));
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
  bool literal = false;
  // Of all searches so far, whatever thread they ran in.
  mutable std::atomic<int64_t> microseconds{0};
  mutable std::atomic<int64_t> bytes{0};
  ~Code() { pcre2_code_free(code); }
};

namespace {

constexpr size_t kLongestLiteral = 1024;
constexpr size_t kLongestRegex = 16384;
// Beginnings of a match that are tried before the clock is looked at: with PCRE2's own limit of
// 10 000 000 steps for each, a second or two.
constexpr size_t kWindow = 256;
// Fifty times what published expressions need without a just-in-time compiler, and a start.
constexpr int64_t kMicrosecondsPerByte = 10;
constexpr int64_t kMicrosecondsFree = 5'000'000;
// A window of a sound expression takes less: rather was the process stopped meanwhile.
constexpr int64_t kMostOfAWindow = 500'000;

/// `at` or the next byte of `text` that begins a character.
size_t character_from(std::string_view text, size_t at) {
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return std::min(at, text.size());
}

}  // namespace

/// One search through one text; adds its time to that of all.
class Pattern::Search {
 public:
  Search(const Pattern& pattern, std::string_view text)
      : pattern_(pattern),
        text_(text),
        data_(pcre2_match_data_create(1, nullptr), pcre2_match_data_free),
        context_(nullptr, pcre2_match_context_free) {
    if (!pattern.code_->literal && text.size() > kWindow)
      context_.reset(pcre2_match_context_create(nullptr));
    pattern.code_->bytes += static_cast<int64_t>(text.size());
  }

  /// From here on matches begin before `end`.
  void begin_before(size_t end) {
    if (context_) pcre2_set_offset_limit(context_.get(), end - 1);
  }

  /// The next match, beginning at `at` or later; null where there is none.
  const PCRE2_SIZE* next(size_t at) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
    const auto match = [&](uint32_t options) {
      return pcre2_match(pattern_.code_->code, subject, text_.size(), at,
                         options | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
    };
    int found = match(0);
    // The interpreter keeps its backtracking points on the heap.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return nullptr;
    if (found < 0) config_error("{}: {}", pattern_.where_, message_of(found));
    return pcre2_get_ovector_pointer(data_.get());
  }

  void look_at_clock() {
    using std::chrono::microseconds, std::chrono::duration_cast;
    const auto now = std::chrono::steady_clock::now();
    const int64_t passed = duration_cast<microseconds>(now - since_).count();
    since_ = now;
    const Code& code = *pattern_.code_;
    const int64_t spent = code.microseconds += std::min(passed, kMostOfAWindow);
    if (spent > kMicrosecondsFree + kMicrosecondsPerByte * code.bytes)
      config_error("{}: its regex takes too long: {} s for {} bytes of text", pattern_.where_,
                   spent / 1'000'000, code.bytes.load());
  }

 private:
  const Pattern& pattern_;
  std::string_view text_;
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data_;
  std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

Pattern Pattern::literal(const std::string& text, const std::string& where) {
  if (text.size() > kLongestLiteral)
    config_error("{}: a text of {} bytes to search for, expected at most {}", where, text.size(),
                 kLongestLiteral);
  return Pattern(text, PCRE2_LITERAL, where);
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  if (expression.size() > kLongestRegex)
    config_error("{}: a regex of {} bytes, expected at most {}", where, expression.size(),
                 kLongestRegex);
  // Without its start optimizations no search looks beyond the window.
  return Pattern(
      Translator(expression, where).run(),
      PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_START_OPTIMIZE | PCRE2_USE_OFFSET_LIMIT,
      where);
}

Pattern::Pattern(const std::string& expression, unsigned options, const std::string& where)
    : where_(where) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->literal = (options & PCRE2_LITERAL) != 0;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                             options | PCRE2_UTF, &error, &offset, nullptr);
  if (!code->code) config_error("{}: '{}': {}", where, shown(expression), message_of(error));
  uint32_t matches_nothing = 0;
  pcre2_pattern_info(code->code, PCRE2_INFO_MATCHEMPTY, &matches_nothing);
  if (matches_nothing || expression.empty()) {
    config_error("{}: '{}' can match the empty text; expected a pattern that cannot", where,
                 shown(expression));
  }
  // Without JIT on this machine matching works too, only slower.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code_ = std::move(code);
}

void Pattern::each_match(std::string_view text, const OnMatch& on_match) const {
  Search search(*this, text);
  const size_t window = code_->literal ? text.size() : kWindow;
  for (size_t at = 0, end = 0; at < text.size(); search.look_at_clock()) {
    end = at + window;
    search.begin_before(end);
    while (at < std::min(end, text.size())) {
      const PCRE2_SIZE* span = search.next(at);
      if (span) on_match(span[0], span[1]);
      at = span ? span[1] : character_from(text, end);
    }
  }
}

}  // namespace wkvq
