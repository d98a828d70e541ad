#include "datasets/tokenizers/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <unordered_map>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr UChar32 kReplacement = 0xFFFD;

void append_character(std::string& out, UChar32 c) {
  char bytes[U8_MAX_LENGTH];
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, c);
  out.append(bytes, static_cast<size_t>(length));
}

/// The character that begins at `at`, which moves behind it; negative where it is ill-formed.
UChar32 next_character(std::string_view text, size_t& at) {
  UChar32 c = 0;
  U8_NEXT(text.data(), at, text.size(), c);
  return c;
}

UChar32 last_character(std::string_view text, size_t& end) {
  do --end;
  while (end > 0 && U8_IS_TRAIL(text[end]));
  size_t at = end;
  return next_character(text, at);
}

bool is_word(UChar32 c) {
  constexpr uint32_t kCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_GET_GC_MASK(c) & kCategories) != 0 || u_hasBinaryProperty(c, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (next_character(text, at) < 0) return false;
  }
  return true;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const UChar32 c = next_character(text, at);
    append_character(out, c < 0 ? kReplacement : c);
  }
  return out;
}

size_t character_length(char first) {
  return U8_COUNT_TRAIL_BYTES_UNSAFE(first) + size_t{1};
}

std::string to_nfc(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  if (U_SUCCESS(status)) {
    nfc->normalizeUTF8(0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr, status);
  }
  if (U_FAILURE(status)) config_error("normalizer NFC failed: {}", u_errorName(status));
  return out;
}

size_t leading_space(std::string_view text) {
  size_t end = 0;
  for (size_t at = 0; at < text.size(); end = at) {
    if (!u_isUWhiteSpace(next_character(text, at))) break;
  }
  return end;
}

size_t trailing_space(std::string_view text) {
  size_t begin = text.size();
  for (size_t at = begin; at > 0; begin = at) {
    if (!u_isUWhiteSpace(last_character(text, at))) break;
  }
  return text.size() - begin;
}

bool starts_with_word(std::string_view text) {
  size_t at = 0;
  return !text.empty() && is_word(next_character(text, at));
}

bool ends_with_word(std::string_view text) {
  size_t end = text.size();
  return !text.empty() && is_word(last_character(text, end));
}

const std::array<std::string, 256>& byte_level_alphabet() {
  static const auto table = [] {
    std::array<std::string, 256> characters;
    UChar32 substitute = 256;
    for (UChar32 byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      append_character(characters[static_cast<size_t>(byte)], printable ? byte : substitute++);
    }
    return characters;
  }();
  return table;
}

std::string byte_level_bytes(std::string_view token) {
  static const auto bytes_of = [] {
    std::unordered_map<std::string_view, char> bytes;
    const auto& characters = byte_level_alphabet();
    for (size_t byte = 0; byte < 256; ++byte) bytes[characters[byte]] = static_cast<char>(byte);
    return bytes;
  }();
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const size_t length = character_length(token[at]);
    const auto found = bytes_of.find(token.substr(at, length));
    if (found == bytes_of.end()) return std::string(token);
    out += found->second;
    at += length;
  }
  return out;
}

}  // namespace wkvq
