#include "analysis/tables/text_width.h"

#include <cstdint>

namespace wkvq {
namespace {

constexpr char32_t kMalformed = 0x110000;

struct Character {
  char32_t code = kMalformed;
  size_t bytes = 1;
};

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + bytes > text.size()) return {};
  char32_t code = lead & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(at + i) & 0x3fU);
  }
  const char32_t smallest = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, bytes};
}

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool within(char32_t code, const Range (&ranges)[N]) {
  for (const Range& range : ranges)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

size_t width_of(char32_t code) {
  static constexpr Range kNone[] = {
      {0x0300, 0x036f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
  static constexpr Range kWide[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                                    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  return within(code, kNone) ? 0 : within(code, kWide) ? 2 : 1;
}

/// Characters that steer instead of print: C0, DEL, C1, and the marks that reverse text.
bool is_control(char32_t code) {
  static constexpr Range kControl[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
  return within(code, kControl);
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    width += width_of(character.code);
    at += character.bytes;
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    if (character.code == kMalformed)
      result += '?';
    else if (is_control(character.code))
      result += ' ';
    else
      result += text.substr(at, character.bytes);
    at += character.bytes;
  }
  return result;
}

std::string shortened(const std::string& text, size_t width) {
  if (display_width(text) <= width) return text;
  const size_t head = (width - 1) / 2;
  size_t at = 0;
  size_t used = 0;
  const auto next = [&] { return character_at(text, at); };
  for (; used + width_of(next().code) <= head; at += next().bytes) used += width_of(next().code);
  const std::string front = text.substr(0, at) + "…";
  size_t left = display_width(std::string_view(text).substr(at));
  for (; left > width - 1 - used; at += next().bytes) left -= width_of(next().code);
  return front + text.substr(at);
}

std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines{""};
  for (size_t at = 0; at < text.size();) {
    const size_t stop = text.find_first_of(" /.", at);
    const size_t end = stop == std::string::npos ? text.size() : stop + 1;
    std::string piece = text.substr(at, end - at);
    std::string bare = piece;
    while (bare.ends_with(' ')) bare.pop_back();
    if (!lines.back().empty() && display_width(lines.back() + bare) > width) lines.emplace_back();
    lines.back() += piece;
    at = end;
  }
  for (std::string& line : lines)
    while (line.ends_with(' ')) line.pop_back();
  return lines;
}

}  // namespace wkvq
