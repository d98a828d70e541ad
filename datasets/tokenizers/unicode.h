#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace wkvq {

/// `text` with every ill-formed part replaced by U+FFFD, one per maximal subpart (as Python's
/// errors="replace" does). The result is valid UTF-8; all other functions here need valid UTF-8.
std::string repair_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

/// Length in bytes of the character that starts with byte `first`.
size_t character_length(char first);

/// Unicode normalization form C.
std::string to_nfc(std::string_view text);

/// Bytes of white space (Unicode White_Space) at the beginning and at the end of `text`.
size_t leading_space(std::string_view text);
size_t trailing_space(std::string_view text);

/// Whether the first (last) character can be part of a word: letters, marks, digits, connectors.
bool starts_with_word(std::string_view text);
bool ends_with_word(std::string_view text);

/// The printable character that byte-level BPE writes for each byte (GPT-2's table).
const std::array<std::string, 256>& byte_level_alphabet();

/// The bytes that `token` stands for in byte-level BPE. A token with any character outside the
/// alphabet stands for itself.
std::string byte_level_bytes(std::string_view token);

}  // namespace wkvq
