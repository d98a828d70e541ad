#include "core/base/json/json.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/json/foreign_file.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 100;
constexpr size_t kMaxValues = 10'000'000;  // one takes 16 bytes and more; the largest tokenizers

/// Builds the value from the parser's events. nlohmann::json's own builder keeps the last of two
/// equal keys, and with a callback it looks through all keys of an object after each of its values.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(const std::string& source, std::string_view text) : source_(source), text_(text) {}

  json root;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // no part of JSON's text
  bool start_object(size_t /*count*/) override { return open(json::object()); }
  bool start_array(size_t /*count*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [place, added] = open_.back()->emplace(name, nullptr);
    if (!added) config_error("{}: key '{}' occurs twice in one object", source_, shown(name));
    value_ = &*place;
    return true;
  }

  bool parse_error(size_t /*position*/, const std::string& /*token*/,
                   const json::exception& error) override {
    refuse_foreign(source_, text_);
    config_error("{}: not valid JSON: {}", source_, shown(error.what()));
  }

 private:
  /// Puts `value` in its place, where it then stays: in a list, only the last one can be open.
  bool add(json value) {
    if (++values_ > kMaxValues)
      config_error("{}: JSON of more than {} values", source_, kMaxValues);
    if (!open_.empty() && open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      value_ = &open_.back()->back();
    } else if (open_.empty()) {
      root = std::move(value);
      value_ = &root;
    } else {
      *value_ = std::move(value);
    }
    return true;
  }

  bool open(json value) {
    if (open_.size() >= kMaxDepth)
      config_error("{}: JSON nested deeper than {}", source_, kMaxDepth);
    add(std::move(value));
    open_.push_back(value_);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& source_;
  std::string_view text_;
  std::vector<json*> open_;
  json* value_ = nullptr;  ///< the last one added, or the place for that of a key
  size_t values_ = 0;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& source) {
  Builder builder(source, text);
  json::sax_parse(text, &builder);
  return std::move(builder.root);
}

std::string read_text_file(const std::filesystem::path& path, int64_t limit) {
  const int descriptor = open_regular_file(path);
  std::string text;
  ssize_t count = 1;
  struct stat status {};
  // What grows while it is read stops at the limit too.
  if (::fstat(descriptor, &status) == 0 && status.st_size <= limit) {
    text.reserve(static_cast<size_t>(status.st_size) + 1);
    while (count > 0 && static_cast<int64_t>(text.size()) <= limit) {
      const size_t before = text.size();
      text.resize(std::max(text.capacity(), before + (size_t{1} << 16)));
      count = ::read(descriptor, text.data() + before, text.size() - before);
      text.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    }
  }
  const int error = count < 0 ? errno : 0;
  ::close(descriptor);
  if (error != 0) config_error("{}: cannot be read: {}", path.string(), std::strerror(error));
  const auto size = std::max<int64_t>(status.st_size, static_cast<int64_t>(text.size()));
  if (size > limit) config_error("{}: {} bytes, expected at most {}", path.string(), size, limit);
  return text;
}

nlohmann::json read_json_file(const std::filesystem::path& path) {
  constexpr int64_t kLimit = int64_t{256} << 20;
  return parse_json(read_text_file(path, kLimit), path.string());
}

}  // namespace wkvq
