#include "core/base/text/visible_text.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace wkvq {
namespace {

constexpr size_t kMostShown = 200;

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
  bool cut = false;  ///< valid so far, but the text ends within it
};

uint8_t byte_of(std::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]);
}

Character character_at(std::string_view text, size_t at) {
  const uint8_t lead = byte_of(text, at);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  char32_t code = lead & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if (at + i >= text.size()) return {.cut = true};
    if ((byte_of(text, at + i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte_of(text, at + i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return {code, bytes, code >= kSmallest[bytes] && code <= 0x10ffff && !surrogate};
}

bool steers(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string escape(char32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
}

std::string visible(std::string_view text, bool keep_lines) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    const bool line = character.code == '\n' || character.code == '\t';
    if (!character.valid) {
      out += fmt::format("\\x{:02x}", byte_of(text, at));
    } else if (steers(character.code) && !(line && keep_lines)) {
      out += escape(character.code);
    } else {
      out += text.substr(at, character.bytes);
    }
    at += character.valid ? character.bytes : 1;
  }
  return out;
}

}  // namespace

std::string visible_text(std::string_view text) {
  return visible(text, false);
}

std::string shown(std::string_view value) {
  size_t at = 0;
  for (size_t characters = 0; at < value.size(); ++characters) {
    if (characters == kMostShown) return std::string(value.substr(0, at)) + "...";
    const Character character = character_at(value, at);
    at += character.valid ? character.bytes : 1;
  }
  return std::string(value);
}

VisibleOutput::VisibleOutput(std::ostream& stream) : stream_(stream), target_(stream.rdbuf()) {
  stream_.rdbuf(this);
}

VisibleOutput::~VisibleOutput() {
  const std::ios::iostate state = stream_.rdstate();
  const bool written = write(pending_.size());
  stream_.rdbuf(target_);  // clears the state, which says what failed
  stream_.setstate(written ? state : state | std::ios::badbit);
}

bool VisibleOutput::write(size_t bytes) {
  const std::string text = visible(std::string_view(pending_).substr(0, bytes), true);
  pending_.erase(0, bytes);
  const auto size = static_cast<std::streamsize>(text.size());
  return target_->sputn(text.data(), size) == size;
}

std::streamsize VisibleOutput::xsputn(const char* letters, std::streamsize count) {
  pending_.append(letters, static_cast<size_t>(count));
  // A character of several bytes may come in several pieces.
  size_t whole = pending_.size();
  for (size_t back = 1; back <= 3 && back <= pending_.size(); ++back)
    if (character_at(pending_, pending_.size() - back).cut) whole = pending_.size() - back;
  return write(whole) ? count : 0;
}

VisibleOutput::int_type VisibleOutput::overflow(int_type letter) {
  if (traits_type::eq_int_type(letter, traits_type::eof())) return traits_type::not_eof(letter);
  const char one = traits_type::to_char_type(letter);
  return xsputn(&one, 1) == 1 ? letter : traits_type::eof();
}

int VisibleOutput::sync() {
  return target_->pubsync();
}

}  // namespace wkvq
