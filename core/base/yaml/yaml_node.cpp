#include "core/base/yaml/yaml_node.h"

#include <charconv>

#include "core/base/error.h"
#include "core/base/json/json.h"

namespace wkvq {
namespace {

constexpr size_t kShownLetters = 60;

template <class Self>
auto* find_entry(Self& node, std::string_view key) {
  for (auto& entry : node.entries) {
    if (entry.key.text == key) return &entry;
  }
  return static_cast<decltype(node.entries.data())>(nullptr);
}

template <class Value>
std::optional<Value> convert(const std::string& text) {
  Value value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

YamlNode YamlNode::map() {
  YamlNode node;
  node.kind = Kind::kMap;
  return node;
}

YamlNode YamlNode::list() {
  YamlNode node;
  node.kind = Kind::kList;
  return node;
}

YamlNode YamlNode::scalar(std::string text, bool quoted) {
  YamlNode node;
  node.kind = Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

const YamlEntry* YamlNode::find(std::string_view key) const {
  return find_entry(*this, key);
}

YamlEntry* YamlNode::find(std::string_view key) {
  return find_entry(*this, key);
}

std::optional<int64_t> YamlNode::integer() const {
  if (!is_scalar() || quoted) return std::nullopt;
  // 010 is eight to some readers of YAML and ten to others.
  const size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() > first + 1 && text[first] == '0') return std::nullopt;
  return convert<int64_t>(text);
}

std::optional<double> YamlNode::number() const {
  if (!is_scalar() || quoted) return std::nullopt;
  // from_chars also takes the words inf and nan.
  if (text.find_first_not_of("0123456789.eE+-") != std::string::npos) return std::nullopt;
  return convert<double>(text);
}

std::optional<bool> YamlNode::boolean() const {
  if (!is_scalar() || quoted || (text != "true" && text != "false")) return std::nullopt;
  return text == "true";
}

std::string YamlNode::where() const {
  const std::string name = source ? *source : "configuration";
  return line > 0 ? fmt::format("{}:{}:{}", name, line, column) : name;
}

std::string YamlNode::describe() const {
  switch (kind) {
    case Kind::kMap:
      return "a map";
    case Kind::kList:
      return "a list";
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      break;
  }
  std::string shown = text.substr(0, kShownLetters);
  if (shown.size() < text.size()) shown += "...";
  return quoted ? fmt::format("the quoted text \"{}\"", shown) : fmt::format("'{}'", shown);
}

YamlNode read_yaml(const std::filesystem::path& path) {
  constexpr int64_t kLimit = int64_t{1} << 20;
  return parse_yaml(read_text_file(path, kLimit), path.string());
}

}  // namespace wkvq
