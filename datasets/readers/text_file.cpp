#include "datasets/readers/text_file.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/json/foreign_file.h"
#include "core/base/json/json.h"

namespace wkvq {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::ifstream open_text(const std::filesystem::path& given) {
  // A text is held in memory, and its tokens take more.
  constexpr uintmax_t kLimit = uintmax_t{4} << 30;
  std::error_code error;
  if (given.empty()) config_error("path: empty, expected a file");
  const std::filesystem::path path = expand_home(given.string());
  if (!std::filesystem::exists(path, error)) {
    config_error("no such file: {}{}", path.string(),
                 path.is_absolute() ? std::string()
                                    : fmt::format("; a relative path counts from '{}'",
                                                  std::filesystem::current_path().string()));
  }
  require_regular_file(path);
  if (const uintmax_t size = std::filesystem::file_size(path, error); !error && size > kLimit)
    config_error("{}: {} bytes, expected at most {}", path.string(), size, kLimit);
  std::ifstream file(path, std::ios::binary);
  if (!file) config_error("cannot read {}", path.string());
  if (file.peek() == 0x1f) {
    config_error("{} is compressed (gzip); expected plain text: unpack it first", path.string());
  }
  file.clear();
  return file;
}

// Allowed range of the second byte and number of continuation bytes after `lead`; 0 where `lead`
// opens no sequence.
struct Utf8Form {
  size_t continuation;
  unsigned low;
  unsigned high;
};

Utf8Form utf8_form(unsigned lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return {1, 0x80, 0xBF};
  if (lead == 0xE0) return {2, 0xA0, 0xBF};
  if (lead == 0xED) return {2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {2, 0x80, 0xBF};
  if (lead == 0xF0) return {3, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {3, 0x80, 0xBF};
  if (lead == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

std::string field_of(const std::string& line, const std::string& field, const std::string& where) {
  nlohmann::json row = parse_json(line, where);
  if (!row.is_object()) config_error("{}: {}, expected a JSON object", where, row.type_name());
  const auto found = row.find(field);
  if (found == row.end()) config_error("{}: no field '{}'", where, field);
  if (!found->is_string()) {
    config_error("{}: field '{}' is a {}, expected a string", where, field, found->type_name());
  }
  return std::move(found->get_ref<std::string&>());
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t i = 0;
  while (i < text.size()) {
    if (byte(i) < 0x80) {
      ++i;
      continue;
    }
    const Utf8Form form = utf8_form(byte(i));
    if (form.continuation == 0 || form.continuation >= text.size() - i) return i;
    if (byte(i + 1) < form.low || byte(i + 1) > form.high) return i;
    for (size_t k = 2; k <= form.continuation; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    i += form.continuation + 1;
  }
  return std::string_view::npos;
}

std::string read_utf8_file(const std::filesystem::path& path) {
  std::ifstream file = open_text(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) config_error("error while reading {}", path.string());
  // A web page is text too; a pointer and UTF-16 never are what was meant.
  if (text.starts_with("version https://git-lfs")) refuse_foreign(path, text);
  if (const size_t at = find_invalid_utf8(text); at != std::string::npos) {
    refuse_foreign(path, text);
    config_error("{}: not UTF-8 at byte {}", path.string(), at);
  }
  return text;
}

PlainText read_plain_text(const std::filesystem::path& path) {
  PlainText read;
  const std::string raw = read_utf8_file(path);
  int64_t pairs = 0, lone = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool pair = raw[i] == '\r' && i + 1 < raw.size() && raw[i + 1] == '\n';
    pairs += pair;
    lone += raw[i] == '\r' && !pair;
    if (!pair) read.text += raw[i] == '\r' ? '\n' : raw[i];
  }
  if (pairs > 0) read.note += fmt::format(", {} line ends CR LF read as LF", pairs);
  if (lone > 0) read.note += fmt::format(", {} lone CR read as LF", lone);
  if (!raw.starts_with(kByteOrderMark)) return read;
  read.note += ", a byte order mark in front kept as text";
  read.warning = fmt::format(
      "{}: begins with a byte order mark, which is text (U+FEFF), as published readers have it",
      path.string());
  return read;
}

std::string kept_as_is(const std::filesystem::path& path, std::string_view text) {
  const bool mark = text.starts_with(kByteOrderMark);
  const bool pairs = text.find("\r\n") != std::string_view::npos;
  if (!mark && !pairs) return {};
  return fmt::format("{}: {}{}{} kept as text", path.string(), mark ? "a byte order mark" : "",
                     mark && pairs ? " and " : "", pairs ? "line ends CR LF" : "");
}

std::vector<std::string> read_jsonl(const std::filesystem::path& path, const std::string& field,
                                    int64_t limit) {
  std::ifstream file = open_text(path);
  std::vector<std::string> documents;
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    if (limit > 0 && static_cast<int64_t>(documents.size()) >= limit) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    documents.push_back(field_of(line, field, fmt::format("{}:{}", path.string(), number)));
  }
  if (file.bad()) config_error("error while reading {}", path.string());
  if (documents.empty()) config_error("{}: no documents", path.string());
  return documents;
}

}  // namespace wkvq
