#include "core/base/options/options_yaml.h"

#include <algorithm>

#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

/// "sweep.yaml:12:5: method.weight: " and no path for the whole document.
std::string prefix(const YamlNode& at, const std::string& path) {
  return path.empty() ? at.where() + ": " : fmt::format("{}: {}: ", at.where(), path);
}

void require_map(const YamlNode& node, const std::string& path) {
  if (node.is_map()) return;
  config_error("{}expected a map of keys and values, given {}", prefix(node, path),
               node.describe());
}

std::string join_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + '.' + key;
}

}  // namespace

YamlMap::YamlMap(const YamlNode& node, std::string path) {
  require_map(node, path);
  frames_.push_back({&node, std::move(path), {}});
}

std::string YamlMap::path_of(const std::string& key) const {
  return join_path(frames_.back().path, key);
}

const YamlNode* YamlMap::find(const std::string& key) {
  Frame& frame = frames_.back();
  if (std::find(frame.known.begin(), frame.known.end(), key) == frame.known.end()) {
    frame.known.push_back(key);
  }
  const YamlEntry* entry = frame.node ? frame.node->find(key) : nullptr;
  return entry ? &entry->value : nullptr;
}

const YamlNode& YamlMap::take(const std::string& key) {
  if (const YamlNode* value = find(key)) return *value;
  const Frame& frame = frames_.back();
  std::vector<std::string> given;
  for (const auto& entry : frame.node->entries) given.push_back(entry.key.text);
  config_error("{}key '{}' is missing{}", prefix(*frame.node, frame.path), key,
               suggestion(key, given, "given"));
}

std::string YamlMap::take_string(const std::string& key) {
  take(key);
  std::string value;
  field(key.c_str(), value, "");
  return value;
}

YamlMap YamlMap::take_map(const std::string& key) {
  return {take(key), path_of(key)};
}

std::vector<YamlMap> YamlMap::take_maps(const std::string& key) {
  const YamlNode& list = take(key);
  if (!list.is_list()) wrong_type(key, "a list of maps");
  std::vector<YamlMap> maps;
  for (size_t i = 0; i < list.items.size(); ++i) {
    maps.emplace_back(list.items[i], join_path(path_of(key), std::to_string(i)));
  }
  return maps;
}

void YamlMap::reject_located(const std::string& key, const std::string& why) const {
  const Frame& frame = frames_.back();
  const YamlEntry* entry = frame.node ? frame.node->find(key) : nullptr;
  const YamlNode* at = entry ? &entry->value : frame.node;
  // A struct that the file leaves out has the place of the nearest one that it names.
  for (auto outer = frames_.rbegin(); !at; ++outer) at = outer->node;
  throw ConfigError(prefix(*at, key.empty() ? frame.path : path_of(key)) + why);
}

void YamlMap::reject(const char* name, const std::string& why) {
  reject_located(name, why);
}

void YamlMap::wrong_type(const std::string& key, const char* expected) const {
  const YamlEntry* entry = frames_.back().node->find(key);
  reject_located(key, fmt::format("expected {}, given {}", expected, entry->value.describe()));
}

void YamlMap::require_known(const Frame& frame) {
  for (const auto& entry : frame.node->entries) {
    const std::string& key = entry.key.text;
    if (std::find(frame.known.begin(), frame.known.end(), key) != frame.known.end()) continue;
    config_error("{}unknown key '{}'{}", prefix(entry.key, frame.path), shown(key),
                 suggestion(key, frame.known));
  }
}

void YamlMap::finish() const {
  require_known(frames_.front());
}

void YamlMap::field(const char* name, bool& value, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  const auto given = node->boolean();
  if (!given) wrong_type(name, "true or false");
  value = *given;
}

void YamlMap::field(const char* name, int64_t& value, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  const auto given = node->integer();
  if (!given) wrong_type(name, "a whole number (such as 4)");
  value = *given;
}

void YamlMap::field(const char* name, double& value, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  const auto given = node->number();
  if (!given) wrong_type(name, "a finite number (such as 0.5 or 1e-5)");
  value = *given;
}

void YamlMap::field(const char* name, std::string& value, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  if (!node->is_scalar()) wrong_type(name, "a text");
  value = node->text;
}

void YamlMap::field(const char* name, std::vector<int64_t>& value, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  if (!node->is_list()) wrong_type(name, "a list of whole numbers (such as [1, 2])");
  std::vector<int64_t> given;
  for (const auto& item : node->items) {
    const auto integer = item.integer();
    if (!integer) {
      config_error("{}expected whole numbers, given {}", prefix(item, path_of(name)),
                   item.describe());
    }
    given.push_back(*integer);
  }
  value = std::move(given);
}

void YamlMap::choice_field(const char* name, int& index, const std::vector<std::string>& names,
                           const char* /*help*/) {
  const YamlNode* node = find(name);
  if (!node) return;
  const auto given = std::find(names.begin(), names.end(), node->text);
  if (!node->is_scalar() || given == names.end()) {
    const std::string tail = suggestion(node->text, names, "choices");
    reject_located(name, fmt::format("{} is not a choice{}", node->describe(), tail));
  }
  index = static_cast<int>(given - names.begin());
}

bool YamlMap::begin_struct(const char* name, const char* /*help*/) {
  const YamlNode* node = find(name);
  if (node) require_map(*node, path_of(name));
  frames_.push_back({node, path_of(name), {}});
  return node != nullptr;
}

void YamlMap::end_struct() {
  if (frames_.back().node) require_known(frames_.back());
  frames_.pop_back();
}

std::optional<size_t> YamlMap::begin_list(const char* name, size_t /*count*/) {
  const YamlNode* node = find(name);
  if (node && !node->is_list()) wrong_type(name, "a list of maps");
  frames_.push_back({node, path_of(name), {}});
  return node ? std::optional<size_t>(node->items.size()) : std::nullopt;
}

void YamlMap::begin_item(size_t index) {
  const YamlNode& item = frames_.back().node->items[index];
  std::string path = path_of(std::to_string(index));
  require_map(item, path);
  frames_.push_back({&item, std::move(path), {}});
}

}  // namespace wkvq
