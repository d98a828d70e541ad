#include "datasets/tasks/choice/text_filters.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {

namespace {

// The separators FS, GS, RS and US: white space to Python, not to Unicode.
bool is_separator(char c) {
  return c >= '\x1c' && c <= '\x1f';
}

std::string to_utf8(const icu::UnicodeString& text) {
  std::string bytes;
  text.toUTF8String(bytes);
  return bytes;
}

icu::UnicodeString lower(const std::string& text) {
  return icu::UnicodeString::fromUTF8(text).toLower(icu::Locale::getRoot());
}

std::string strip(const std::string& text, const std::string& /*argument*/) {
  const size_t front = leading_white(text);
  return text.substr(front, text.size() - front - trailing_white(text.substr(front)));
}

std::string lstrip(const std::string& text, const std::string& /*argument*/) {
  return text.substr(leading_white(text));
}

std::string lower_first(const std::string& text, const std::string& /*argument*/) {
  if (text.empty()) return text;
  const size_t first = character_length(text[0]);
  return to_utf8(lower(text.substr(0, first))) + text.substr(first);
}

std::string capitalize(const std::string& text, const std::string& /*argument*/) {
  if (text.empty()) return text;
  const std::string first = text.substr(0, character_length(text[0]));
  // Lower case of the whole: what a capital sigma becomes depends on the letters before it.
  const icu::UnicodeString rest = lower(text).tempSubString(lower(first).length());
  icu::UnicodeString title = icu::UnicodeString::fromUTF8(first);
  title.toTitle(nullptr, icu::Locale::getRoot());
  return to_utf8(title + rest);
}

std::string drop_last(const std::string& text, const std::string& /*argument*/) {
  size_t end = text.size();
  while (end > 0 && (static_cast<unsigned char>(text[--end]) & 0xC0) == 0x80) continue;
  return text.substr(0, end);
}

size_t find_mark(const std::string& text, const std::string& mark) {
  const size_t at = text.find(mark);
  if (at == std::string::npos) config_error("text without '{}': '{}'", mark, shown(text));
  return at;
}

std::string before(const std::string& text, const std::string& mark) {
  return text.substr(0, find_mark(text, mark));
}

std::string after(const std::string& text, const std::string& mark) {
  return text.substr(find_mark(text, mark) + mark.size());
}

std::string but_last_word(const std::string& text, const std::string& /*argument*/) {
  const size_t space = text.rfind(' ');
  return space == std::string::npos ? std::string() : text.substr(0, space);
}

std::string last_word(const std::string& text, const std::string& /*argument*/) {
  const size_t space = text.rfind(' ');
  return space == std::string::npos ? text : text.substr(space + 1);
}

std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& argument) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (size_t start = 0; start <= argument.size();) {
    const size_t end = std::min(argument.find(',', start), argument.size());
    const std::string pair = argument.substr(start, end - start);
    const size_t equals = pair.find('=');
    if (equals == std::string::npos)
      config_error("filter 'map': '{}', expected pairs such as map:a=b,c=d", shown(argument));
    pairs.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    start = end + 1;
  }
  return pairs;
}

std::string map_text(const std::string& text, const std::string& argument) {
  std::string known;
  for (const auto& [from, to] : pairs_of(argument)) {
    if (from == text) return to;
    known += (known.empty() ? "" : ", ") + from;
  }
  config_error("'{}', expected one of {}", shown(text), shown(known));
}

/// Built anew: replaced in place, a long text would be moved for every match.
std::string replace_all(const std::string& text, const std::string& from, const std::string& to) {
  std::string out;
  size_t begin = 0;
  for (size_t at; (at = text.find(from, begin)) != std::string::npos; begin = at + from.size())
    out.append(text, begin, at - begin).append(to);
  return out.append(text, begin);
}

/// Without what stands in brackets on one line; a bracket that no line closes stays.
std::string without_brackets(const std::string& text) {
  std::string out;
  size_t begin = 0, stop = 0;
  for (size_t open; (open = text.find('[', begin)) != std::string::npos;) {
    // Brackets before the same end look for it once.
    if (stop <= open) stop = std::min(text.find_first_of("]\n", open), text.size());
    const bool closed = stop < text.size() && text[stop] == ']';
    out.append(text, begin, open - begin + (closed ? 0 : 1));
    begin = closed ? stop + 1 : open + 1;
  }
  return out.append(text, begin);
}

std::string hellaswag_clean(const std::string& text, const std::string& argument) {
  const std::string titled = replace_all(strip(text, argument), " [title]", ". ");
  return replace_all(without_brackets(titled), "  ", " ");
}

struct Known {
  const char* name;
  TextFilter::Function function;
  bool takes_argument;
};

constexpr std::array<Known, 11> kFilters = {{{"strip", strip, false},
                                             {"lstrip", lstrip, false},
                                             {"capitalize", capitalize, false},
                                             {"lower_first", lower_first, false},
                                             {"drop_last", drop_last, false},
                                             {"before", before, true},
                                             {"after", after, true},
                                             {"but_last_word", but_last_word, false},
                                             {"last_word", last_word, false},
                                             {"map", map_text, true},
                                             {"hellaswag_clean", hellaswag_clean, false}}};

}  // namespace

TextFilter::TextFilter(std::string_view written) {
  const size_t colon = std::min(written.find(':'), written.size());
  const std::string name(written.substr(0, colon));
  const auto known = std::find_if(kFilters.begin(), kFilters.end(),
                                  [&](const Known& filter) { return filter.name == name; });
  if (known == kFilters.end()) {
    std::vector<std::string> names;
    for (const Known& filter : kFilters) names.emplace_back(filter.name);
    config_error("unknown filter '{}'{}", shown(name), suggestion(name, names));
  }
  function_ = known->function;
  if (colon < written.size()) argument_ = written.substr(colon + 1);
  if (known->takes_argument && argument_.empty())
    config_error("filter '{}' needs an argument, expected {}:...", name, name);
  if (!known->takes_argument && colon < written.size())
    config_error("filter '{}' takes no argument, got '{}'", name, shown(argument_));
  if (function_ == map_text) pairs_of(argument_);
}

size_t trailing_white(std::string_view text) {
  const size_t before = text.size();
  for (size_t end = before + 1; end != text.size();) {
    end = text.size();
    text.remove_suffix(trailing_space(text));
    while (!text.empty() && is_separator(text.back())) text.remove_suffix(1);
  }
  return before - text.size();
}

size_t leading_white(std::string_view text) {
  const size_t before = text.size();
  for (size_t end = before + 1; end != text.size();) {
    end = text.size();
    text.remove_prefix(leading_space(text));
    while (!text.empty() && is_separator(text.front())) text.remove_prefix(1);
  }
  return before - text.size();
}

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace wkvq
