#include "core/base/yaml/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 100000;

using nlohmann::ordered_json;

template <class T>
bool parses_as(const std::string& text, T& value) {
  if (text.starts_with("+-")) return false;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end;
}

ordered_json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (text == ".inf" || text == "+.inf") return std::numeric_limits<double>::infinity();
  if (text == "-.inf") return -std::numeric_limits<double>::infinity();
  if (text == ".nan") return std::numeric_limits<double>::quiet_NaN();
  int64_t integer = 0;
  if (parses_as(text, integer)) return integer;
  double number = 0;
  // from_chars also reads "inf" and "nan", which YAML takes for words.
  if (text.find_first_of("0123456789") != std::string::npos && parses_as(text, number))
    return number;
  return text;
}

ordered_json convert(const YAML::Node& node, int depth, int& nodes) {
  if (depth > kMaxDepth) config_error("YAML nests deeper than {}", kMaxDepth);
  if (++nodes > kMaxNodes) config_error("YAML holds more than {} nodes", kMaxNodes);
  if (node.IsScalar()) return scalar(node);
  if (node.IsSequence()) {
    ordered_json list = ordered_json::array();
    for (const YAML::Node& item : node) list.push_back(convert(item, depth + 1, nodes));
    return list;
  }
  if (node.IsMap()) {
    ordered_json map = ordered_json::object();
    for (const auto& item : node) map[item.first.Scalar()] = convert(item.second, depth + 1, nodes);
    return map;
  }
  return nullptr;
}

void flatten_into(const ordered_json& value, const std::string& key,
                  std::vector<std::pair<std::string, AttributeValue>>& leaves) {
  const auto below = [&](const std::string& name) { return key.empty() ? name : key + "." + name; };
  const bool list_with_maps =
      value.is_array() && std::any_of(value.begin(), value.end(),
                                      [](const ordered_json& item) { return item.is_object(); });
  if (value.is_object()) {
    for (const auto& [name, item] : value.items()) flatten_into(item, below(name), leaves);
  } else if (list_with_maps) {
    for (size_t i = 0; i < value.size(); ++i)
      flatten_into(value[i], below(std::to_string(i)), leaves);
  } else if (value.is_number_integer()) {
    leaves.emplace_back(key, value.get<int64_t>());
  } else if (value.is_number()) {
    leaves.emplace_back(key, value.get<double>());
  } else if (value.is_string()) {
    leaves.emplace_back(key, value.get<std::string>());
  } else {
    leaves.emplace_back(key, value.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  }
}

}  // namespace

ordered_json yaml_to_json(const std::string& text) {
  try {
    int nodes = 0;
    return convert(YAML::Load(text), 0, nodes);
  } catch (const YAML::Exception& error) {
    config_error("not YAML: {}", error.what());
  }
}

std::vector<std::pair<std::string, AttributeValue>> flatten(const ordered_json& document) {
  std::vector<std::pair<std::string, AttributeValue>> leaves;
  flatten_into(document, "", leaves);
  return leaves;
}

}  // namespace wkvq
