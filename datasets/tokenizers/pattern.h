#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace wkvq {

/// What a tokenizer's file searches for: a literal text or a regular expression (PCRE2). A
/// Pattern may be used from several threads.
class Pattern {
 public:
  using OnMatch = std::function<void(size_t begin, size_t end)>;

  /// `where` begins the messages of all ConfigErrors.
  static Pattern literal(const std::string& text, const std::string& where);

  /// The tokenizer files are written for Oniguruma. Accepted is the part of its syntax that means
  /// the same here: literals, classes, \s \S \d \D, \p{L}-like general categories, groups
  /// (?: (?i: (?= (?! (?<= (?<! (?>, quantifiers. All else, a pattern that can match nothing, and
  /// one of more than 16384 bytes (a literal: 1024) is a ConfigError.
  static Pattern regex(const std::string& expression, const std::string& where);

  /// Calls `on_match` for the matches in valid UTF-8 `text`, left to right, none overlapping.
  /// ConfigError where the expression backtracks beyond the engine's limits, or where all searches
  /// of this pattern together took longer than 5 s and 10 us for each byte.
  void each_match(std::string_view text, const OnMatch& on_match) const;

 private:
  struct Code;
  class Search;
  Pattern(const std::string& expression, unsigned options, const std::string& where);

  std::shared_ptr<const Code> code_;
  std::string where_;
};

}  // namespace wkvq
