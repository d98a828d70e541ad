#include <fmt/ranges.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/text/visible_text.h"
#include "datasets/readers/token_array.h"

namespace wkvq {

namespace {

constexpr size_t kMaxHeader = 1 << 16;

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The header is a Python dict literal with exactly these three keys; nothing else of Python is
// read.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  NpyHeader parse() {
    NpyHeader header;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      const int which = read_value(key, header);
      if (seen[which]) fail("key '" + key + "' twice");
      seen[which] = true;
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("text after the dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) fail("needs descr, fortran_order and shape");
    return header;
  }

 private:
  int read_value(const std::string& key, NpyHeader& header) {
    if (key == "descr") {
      header.descr = quoted();
      return 0;
    }
    if (key == "fortran_order") {
      header.fortran_order = boolean();
      return 1;
    }
    if (key != "shape") fail("unknown key '" + shown(key) + "'");
    header.shape = tuple();
    return 2;
  }

  [[noreturn]] void fail(const std::string& what) const {
    config_error("{}: malformed .npy header: {} (at character {})", path_, what, at_);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'");
  }
  std::string quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected a string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("string without an end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_space();
    for (const auto& [name, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (!text_.substr(at_).starts_with(name)) continue;
      at_ += std::string_view(name).size();
      return value;
    }
    fail("expected True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      skip_space();
      int64_t size = 0;
      const char* first = text_.data() + at_;
      const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) fail("expected a size");
      at_ += static_cast<size_t>(end - first);
      sizes.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
};

struct ElementType {
  size_t width;
  bool is_signed;
};

ElementType element_type(const std::string& descr, const std::string& path) {
  for (const size_t width : {1, 2, 4, 8}) {
    for (const bool is_signed : {true, false}) {
      const std::string kind = fmt::format("{}{}", is_signed ? 'i' : 'u', width);
      if (descr == fmt::format("<{}", kind)) return {width, is_signed};
      if (width == 1 && descr == fmt::format("|{}", kind)) return {width, is_signed};
    }
  }
  config_error("{}: element type '{}', expected little-endian integers (<i4, <u2, |u1, ...)", path,
               shown(descr));
}

// Empty where the product does not fit.
std::optional<uint64_t> byte_count(const std::vector<int64_t>& shape, size_t width) {
  uint64_t count = width;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count)) return {};
  }
  return count;
}

std::string read_bytes(std::ifstream& file, size_t count, const std::string& path) {
  std::string bytes(count, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  if (static_cast<size_t>(file.gcount()) != count) config_error("{}: cut short", path);
  return bytes;
}

size_t header_length(std::ifstream& file, const std::string& path) {
  const std::string prefix = read_bytes(file, 8, path);
  if (!prefix.starts_with("\x93NUMPY")) config_error("{}: not a .npy file", path);
  const int major = prefix[6];
  if ((major != 1 && major != 2) || prefix[7] != 0) {
    config_error("{}: .npy format {}.{}, expected 1.0 or 2.0", path, major, int{prefix[7]});
  }
  const std::string field = read_bytes(file, major == 1 ? 2 : 4, path);
  const auto length = decode_integers(std::as_bytes(std::span(field)), field.size(), false)[0];
  if (static_cast<size_t>(length) > kMaxHeader) {
    config_error("{}: .npy header of {} bytes, expected at most {}", path, length, kMaxHeader);
  }
  return static_cast<size_t>(length);
}

}  // namespace

TokenArray read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  require_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  if (!file) config_error("cannot read {}", name);
  const std::string text = read_bytes(file, header_length(file, name), name);
  const NpyHeader header = HeaderParser(text, name).parse();
  if (header.fortran_order && header.shape.size() > 1) {
    config_error("{}: Fortran order, expected C order (numpy.ascontiguousarray)", name);
  }
  const ElementType type = element_type(header.descr, name);
  const auto data_start = file.tellg();
  file.seekg(0, std::ios::end);
  const uint64_t given = static_cast<uint64_t>(file.tellg() - data_start);
  file.seekg(data_start);
  const auto needed = byte_count(header.shape, type.width);
  if (!needed || *needed != given) {
    config_error("{}: shape [{}] of {} does not fit the {} bytes of data", name,
                 shown(fmt::format("{}", fmt::join(header.shape, ", "))), header.descr, given);
  }
  require_token_count(given / type.width, name);
  const std::string data = read_bytes(file, static_cast<size_t>(given), name);
  return {header.shape,
          decode_integers(std::as_bytes(std::span(data)), type.width, type.is_signed)};
}

}  // namespace wkvq
