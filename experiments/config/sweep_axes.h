#pragma once

#include <vector>

#include "core/base/yaml/yaml_path.h"

namespace wkvq {

/// One dimension of a sweep: each point is a set of assignments that a run takes together.
struct SweepAxis {
  YamlNode key;  ///< for its place
  std::vector<std::vector<Assignment>> points;
};

/// The axes of a `sweep:` block in its order: `path: [values]`, `zip: {path: [values], ...}`,
/// `runs: [{path: value, ...}, ...]`. ConfigError for an axis that is no list, empty, of unequal
/// lengths, or that holds a point twice.
std::vector<SweepAxis> read_axes(const YamlEntry& sweep);

/// ConfigError where a value is written by two axes, by two assignments of one point, or by an axis
/// and one of `overrides`: one of them would have no effect.
void require_disjoint(const std::vector<SweepAxis>& axes, const std::vector<Assignment>& overrides);

}  // namespace wkvq
