#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// The whole of a UTF-8 file. ConfigError where it is missing, not a file, compressed, a pointer of
/// git-lfs, UTF-16 or not valid UTF-8 (with the byte offset).
std::string read_utf8_file(const std::filesystem::path& path);

/// A text file as Python's open(path, encoding="utf-8") gives it, which published readers use: CR
/// LF and lone CR are line feeds; a byte order mark stays, as U+FEFF.
struct PlainText {
  std::string text;
  /// What was read otherwise than it stands, to end a convention: ", 12 line ends CR LF read as
  /// LF"; empty where nothing was.
  std::string note;
  /// The warning that a byte order mark in front is part of the text; empty where there is none.
  std::string warning;
};

/// read_utf8_file() with universal newlines.
PlainText read_plain_text(const std::filesystem::path& path);

/// The warning that `text` of `path` has line ends CR LF or a byte order mark, which stay; empty
/// where it has none.
std::string kept_as_is(const std::filesystem::path& path, std::string_view text);

/// `field` (a string) of each line's JSON object, the first `limit` of them (0: all); blank lines
/// are no documents. ConfigError names file and line.
std::vector<std::string> read_jsonl(const std::filesystem::path& path, const std::string& field,
                                    int64_t limit);

/// Offset of the first byte that is not part of valid UTF-8 (no surrogates, no overlong forms, at
/// most U+10FFFF), or npos.
size_t find_invalid_utf8(std::string_view text);

}  // namespace wkvq
