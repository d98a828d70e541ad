#include "core/base/yaml/yaml_path.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

constexpr size_t kMaxKeys = 16;
constexpr const char* kAppend = "+";

/// `key`: under which `target` stands.
void merge(YamlNode& target, const YamlNode& value, std::string_view key) {
  // What is left of another data set would be options that this one does not have.
  if (!target.is_map() || !value.is_map() || key == "dataset") {
    target = value;
    return;
  }
  // Looking through the entries for each of many keys would be quadratic.
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < target.entries.size(); ++i) places[target.entries[i].key.text] = i;
  for (const auto& entry : value.entries) {
    if (const auto found = places.find(entry.key.text); found != places.end()) {
      YamlEntry& present = target.entries[found->second];
      present.key = entry.key;
      merge(present.value, entry.value, entry.key.text);
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

/// Place of the item called `name` in the list `node`.
size_t item_index(const YamlNode& node, const YamlNode& path, const std::string& name) {
  const auto index = YamlNode::scalar(name, false).integer();
  const auto size = static_cast<int64_t>(node.items.size());
  if (!index || *index < 0 || *index >= size) {
    config_error("{}: '{}': '{}' is not an item of the list at {}, expected {}", path.where(),
                 shown(path.text), shown(name), node.where(),
                 size == 0 ? "+: it is empty" : fmt::format("0 to {}", size - 1));
  }
  return static_cast<size_t>(*index);
}

/// The value called `name` below `node`, made where a map has none.
YamlNode& descend(YamlNode& node, const YamlNode& path, const std::string& name) {
  if (node.is_list()) return node.items[item_index(node, path, name)];
  if (node.is_null()) node = map_at(path);
  if (!node.is_map()) {
    config_error("{}: '{}' leads through {} at {}, which has no key '{}'", path.where(),
                 shown(path.text), node.describe(), node.where(), shown(name));
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

YamlNode resolved_path(const YamlNode& root, const YamlNode& path) {
  std::vector<std::string> names = split_path(path);
  if (names.back() != kAppend) return path;
  names.pop_back();
  const YamlNode* node = &root;
  for (const auto& name : names) {
    if (node->is_list()) {
      node = &node->items[item_index(*node, path, name)];
    } else {
      const YamlEntry* entry = node->find(name);
      if (!entry)
        config_error("{}: '{}': no '{}' to append to", path.where(), shown(path.text), name);
      node = &entry->value;
    }
  }
  if (!node->is_list()) {
    config_error("{}: '{}' appends to a list, but at {} there is {}", path.where(),
                 shown(path.text), node->where(), node->describe());
  }
  names.push_back(std::to_string(node->items.size()));
  return key_at(path, fmt::format("{}", fmt::join(names, ".")));
}

void assign(YamlNode& root, const Assignment& assignment) {
  YamlNode* node = &root;
  const YamlNode path = resolved_path(root, assignment.path);
  const bool appends = path.text != assignment.path.text;
  const std::vector<std::string> names = split_path(path);
  for (size_t i = 0; i + (appends ? 1 : 0) < names.size(); ++i) {
    node = &descend(*node, path, names[i]);
  }
  if (appends) {
    node->items.push_back(assignment.value);
  } else {
    merge(*node, assignment.value, names.back());
  }
}

void remove(YamlNode& root, const YamlNode& path) {
  std::vector<std::string> names = split_path(path);
  const std::string last = names.back();
  names.pop_back();
  YamlNode* node = &root;
  for (const auto& name : names) {
    if (!node->is_list() && !node->find(name)) {
      config_error("{}: '{}': nothing to remove: no '{}' at {}", path.where(), shown(path.text),
                   shown(name), node->where());
    }
    node = &descend(*node, path, name);
  }
  if (node->is_list()) {
    node->items.erase(node->items.begin() +
                      static_cast<std::ptrdiff_t>(item_index(*node, path, last)));
    return;
  }
  std::vector<std::string> given;
  for (const auto& entry : node->entries) given.push_back(entry.key.text);
  if (std::erase_if(node->entries, [&](const YamlEntry& e) { return e.key.text == last; }) == 0) {
    config_error("{}: '{}': nothing to remove: no '{}'{}", path.where(), shown(path.text), last,
                 suggestion(last, given, "given"));
  }
}

std::vector<std::string> written_paths(const Assignment& assignment) {
  std::vector<std::string> paths;
  collect_leaves(assignment.value, assignment.path.text, paths);
  return paths;
}

}  // namespace wkvq
