#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/recorder.h"
#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// Canonical YAML in block style, keys in their order, lists of scalars on one line. Equal trees
/// give equal bytes; readers of YAML 1.1 and 1.2 take each value for the same type.
std::string block_text(const YamlNode& node);

/// The same on one line: `{bits: 4, axes: [1, 2]}`.
std::string flow_text(const YamlNode& node);

/// Shortest text that reads back as the same double and is taken for a number with a fraction by
/// all readers of YAML: 1.0, 0.01, 1.0e-05.
std::string number_text(double value);

/// One row a value, named by its path: ("method.weight.bits", 4). Booleans are 0 and 1, lists of
/// scalars one text; other lists and maps are descended into ("evaluate.0.task").
std::vector<std::pair<std::string, AttributeValue>> flatten(const YamlNode& node);

}  // namespace wkvq
