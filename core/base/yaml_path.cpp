#include "core/base/yaml_path.h"

#include <algorithm>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr size_t kMaxKeys = 16;

void merge(YamlNode& target, const YamlNode& value) {
  if (!target.is_map() || !value.is_map()) {
    target = value;
    return;
  }
  for (const auto& entry : value.entries) {
    if (YamlEntry* present = target.find(entry.key.text)) {
      present->key = entry.key;
      merge(present->value, entry.value);
    } else {
      target.entries.push_back(entry);
    }
  }
}

YamlNode key_at(const YamlNode& path, const std::string& name) {
  YamlNode key = path;
  key.text = name;
  return key;
}

/// An empty map that stands where `path` does.
YamlNode map_at(const YamlNode& path) {
  YamlNode map = YamlNode::map();
  map.source = path.source;
  map.line = path.line;
  map.column = path.column;
  return map;
}

/// The value called `name` below `node`, made where a map has none.
YamlNode& descend(YamlNode& node, const YamlNode& path, const std::string& name) {
  if (node.is_list()) {
    const auto index = YamlNode::scalar(name, false).integer();
    const auto size = static_cast<int64_t>(node.items.size());
    if (!index || *index < 0 || *index >= size) {
      config_error("{}: '{}': '{}' is not an item of the list at {}, expected 0 to {}",
                   path.where(), path.text, name, node.where(), size - 1);
    }
    return node.items[static_cast<size_t>(*index)];
  }
  if (node.is_null()) node = map_at(path);
  if (!node.is_map()) {
    config_error("{}: '{}' leads through {} at {}, which has no key '{}'", path.where(), path.text,
                 node.describe(), node.where(), name);
  }
  if (YamlEntry* present = node.find(name)) {
    present->key = key_at(path, name);
    return present->value;
  }
  node.entries.push_back({key_at(path, name), YamlNode()});
  return node.entries.back().value;
}

void collect_leaves(const YamlNode& node, const std::string& path, std::vector<std::string>& out) {
  if (!node.is_map() || node.entries.empty()) out.push_back(path);
  for (const auto& entry : node.entries) {
    collect_leaves(entry.value, path + '.' + entry.key.text, out);
  }
}

}  // namespace

std::vector<std::string> split_path(const YamlNode& path) {
  std::vector<std::string> names(1);
  for (char letter : path.text) {
    if (letter == '.') {
      names.emplace_back();
    } else {
      names.back() += letter;
    }
  }
  const bool has_gap = std::find(names.begin(), names.end(), "") != names.end();
  if (has_gap || names.size() > kMaxKeys) {
    config_error("{}: {} is not a path, expected at most {} keys with dots between them",
                 path.where(), path.describe(), kMaxKeys);
  }
  return names;
}

void assign(YamlNode& root, const Assignment& assignment) {
  YamlNode* node = &root;
  for (const auto& name : split_path(assignment.path)) {
    node = &descend(*node, assignment.path, name);
  }
  merge(*node, assignment.value);
}

std::vector<std::string> written_paths(const Assignment& assignment) {
  std::vector<std::string> paths;
  collect_leaves(assignment.value, assignment.path.text, paths);
  return paths;
}

}  // namespace wkvq
