#pragma once

#include <string>
#include <vector>

#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// A value and the dotted path at which it belongs: `method.kv.bits`, `evaluate.0.context`.
struct Assignment {
  YamlNode path;  ///< scalar; its place is where messages about the path point
  YamlNode value;
};

/// Components of a dotted path. ConfigError where one is empty or there are more than 16.
std::vector<std::string> split_path(const YamlNode& path);

/// Puts the value into `root`. Maps on the way are made where absent; a map merges into a map key
/// by key, but for a `dataset`, whose keys belong to its name; every other value replaces what was
/// there; a number selects an existing item of a list, `+` at the end of the path a new one.
/// ConfigError where the path leads through a scalar or past the end of a list.
void assign(YamlNode& root, const Assignment& assignment);

/// `path` with the number of the item that assign() would append in place of its `+`.
YamlNode resolved_path(const YamlNode& root, const YamlNode& path);

/// Takes the entry of a map or the item of a list at `path` away. ConfigError where there is none.
void remove(YamlNode& root, const YamlNode& path);

/// Paths of the values that assign() writes: the path itself, or one for each leaf of a map.
std::vector<std::string> written_paths(const Assignment& assignment);

}  // namespace wkvq
