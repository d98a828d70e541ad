#include "core/base/json.h"

#include <fstream>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/base/foreign_file.h"

namespace wkvq {
namespace {

constexpr int kMaxDepth = 100;

/// nlohmann::json keeps the last of two equal keys; this callback refuses them.
class Strictness {
 public:
  explicit Strictness(const std::string& source) : source_(source) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) config_error("{}: JSON nested deeper than {}", source_, kMaxDepth);
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      config_error("{}: key '{}' occurs twice in one object", source_, parsed.get<std::string>());
    }
    return true;
  }

 private:
  const std::string& source_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& source) {
  Strictness strictness(source);
  try {
    return nlohmann::json::parse(text, std::ref(strictness));
  } catch (const nlohmann::json::exception& error) {
    refuse_foreign(source, text);
    config_error("{}: not valid JSON: {}", source, error.what());
  }
}

std::string read_text_file(const std::filesystem::path& path, int64_t limit) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    config_error("{}: no such file", path.string());
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const int64_t size = file ? static_cast<int64_t>(file.tellg()) : -1;
  if (size < 0) config_error("{}: cannot be read", path.string());
  if (size > limit) {
    config_error("{}: {} bytes, expected at most {}", path.string(), size, limit);
  }
  std::string text(static_cast<size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(text.data(), size)) config_error("{}: cannot be read", path.string());
  return text;
}

nlohmann::json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), path.string());
}

}  // namespace wkvq
