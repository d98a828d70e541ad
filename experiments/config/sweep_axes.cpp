#include "experiments/config/sweep_axes.h"

#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "core/base/yaml/yaml_text.h"

namespace wkvq {
namespace {

const std::vector<YamlNode>& values_of(const YamlEntry& axis, const char* expected) {
  if (!axis.value.is_list()) {
    config_error("{}: sweep axis '{}': expected {}, given {}", axis.value.where(),
                 shown(axis.key.text), expected, axis.value.describe());
  }
  if (axis.value.items.empty()) {
    config_error("{}: sweep axis '{}' is empty, expected at least one value", axis.value.where(),
                 shown(axis.key.text));
  }
  return axis.value.items;
}

SweepAxis list_axis(const YamlEntry& entry) {
  split_path(entry.key);
  SweepAxis axis{entry.key, {}};
  for (const auto& value : values_of(entry, "a list of values")) {
    axis.points.push_back({{entry.key, value}});
  }
  return axis;
}

SweepAxis zip_axis(const YamlEntry& zip) {
  if (!zip.value.is_map() || zip.value.entries.empty()) {
    config_error("{}: sweep axis 'zip': expected a map of paths to lists, given {}",
                 zip.value.where(), zip.value.is_map() ? "an empty one" : zip.value.describe());
  }
  SweepAxis axis{zip.key, {}};
  const YamlEntry& first = zip.value.entries.front();
  for (const auto& entry : zip.value.entries) {
    const SweepAxis column = list_axis(entry);
    if (axis.points.empty()) axis.points.resize(column.points.size());
    if (column.points.size() != axis.points.size()) {
      config_error(
          "{}: sweep axis 'zip': '{}' has {} values and '{}' at {} has {}, expected as many",
          entry.value.where(), shown(entry.key.text), column.points.size(), shown(first.key.text),
          first.value.where(), axis.points.size());
    }
    for (size_t i = 0; i < column.points.size(); ++i) {
      axis.points[i].push_back(column.points[i].front());
    }
  }
  return axis;
}

SweepAxis runs_axis(const YamlEntry& runs) {
  SweepAxis axis{runs.key, {}};
  for (const auto& run : values_of(runs, "a list of maps")) {
    if (!run.is_map()) {
      config_error("{}: sweep axis 'runs': expected a map of paths to values, given {}",
                   run.where(), run.describe());
    }
    auto& point = axis.points.emplace_back();
    for (const auto& entry : run.entries) {
      split_path(entry.key);
      point.push_back({entry.key, entry.value});
    }
  }
  return axis;
}

void require_values(const SweepAxis& axis) {
  for (const auto& point : axis.points) {
    for (const auto& [path, value] : point) {
      if (value.is_null()) {
        config_error("{}: sweep axis '{}': nothing given, expected a value", value.where(),
                     shown(path.text));
      }
    }
  }
}

std::string text_of(const std::vector<Assignment>& point) {
  if (point.size() == 1) return flow_text(point.front().value);
  YamlNode map = YamlNode::map();
  for (const auto& assignment : point) map.entries.push_back({assignment.path, assignment.value});
  return flow_text(map);
}

void require_distinct_points(const SweepAxis& axis) {
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < axis.points.size(); ++i) {
    const auto& point = axis.points[i];
    const std::string text = text_of(point);
    const auto [first, added] = seen.emplace(text, i);
    if (added) continue;
    config_error("{}: sweep axis '{}': {} is given twice, as value {} and value {}",
                 point.empty() ? axis.key.where() : point.front().value.where(),
                 shown(axis.key.text), shown(text), first->second + 1, i + 1);
  }
}

/// What writes a set of values, and where it stands.
struct Writer {
  YamlNode at;
  std::set<std::string> paths;
  std::string axis = {};   ///< key of the axis; empty for others
  std::string value = {};  ///< of --set, as it was given; empty for others
};

/// What to write instead where --set gives a value to what an axis varies.
std::string axis_advice(const Writer& axis, const Writer& override_) {
  if (axis.axis == override_.at.text)
    return fmt::format("give the axis its values: --set 'sweep.{}=[{}]'", axis.axis,
                       shown(override_.value));
  return fmt::format("take the axis out first: --set '~sweep.{}'", axis.axis);
}

void require_disjoint(const std::vector<Writer>& writers) {
  std::map<std::string, const Writer*> owner;
  const auto refuse = [](const Writer& second, const std::string& path, const Writer& first) {
    const bool swept = second.axis.empty() != first.axis.empty();
    const Writer& axis = first.axis.empty() ? second : first;
    const Writer& other = first.axis.empty() ? first : second;
    if (swept && !other.value.empty())
      config_error("{}: '{}' is swept at {}; {}", other.at.where(), shown(path), axis.at.where(),
                   axis_advice(axis, other));
    config_error("{}: '{}' is also set at {}, one of the two must go", second.at.where(),
                 shown(path), first.at.where());
  };
  for (const auto& writer : writers) {
    for (const auto& path : writer.paths) {
      const auto [first, added] = owner.emplace(path, &writer);
      if (!added) refuse(writer, path, *first->second);
    }
  }
  for (const auto& [path, writer] : owner) {
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
      const auto above = owner.find(path.substr(0, dot));
      if (above != owner.end() && above->second != writer) refuse(*writer, path, *above->second);
    }
  }
}

Writer writer_of(const Assignment& assignment) {
  const auto paths = written_paths(assignment);
  return {.at = assignment.path, .paths = {paths.begin(), paths.end()}};
}

}  // namespace

std::vector<SweepAxis> read_axes(const YamlEntry& sweep) {
  if (!sweep.value.is_map() || sweep.value.entries.empty()) {
    config_error("{}: sweep: expected a map of axes, given {}", sweep.value.where(),
                 sweep.value.is_map() ? "an empty one" : sweep.value.describe());
  }
  std::vector<SweepAxis> axes;
  for (const auto& entry : sweep.value.entries) {
    const std::string& key = entry.key.text;
    axes.push_back(key == "zip"    ? zip_axis(entry)
                   : key == "runs" ? runs_axis(entry)
                                   : list_axis(entry));
    require_values(axes.back());
    require_distinct_points(axes.back());
  }
  return axes;
}

void require_disjoint(const std::vector<SweepAxis>& axes,
                      const std::vector<Assignment>& overrides) {
  std::vector<Writer> all;
  for (const auto& axis : axes) {
    Writer whole{.at = axis.key, .paths = {}, .axis = axis.key.text};
    for (const auto& point : axis.points) {
      std::vector<Writer> parts;
      for (const auto& assignment : point) {
        parts.push_back(writer_of(assignment));
        whole.paths.insert(parts.back().paths.begin(), parts.back().paths.end());
      }
      require_disjoint(parts);
    }
    all.push_back(std::move(whole));
  }
  for (const auto& assignment : overrides) {
    all.push_back(writer_of(assignment));
    all.back().value = flow_text(assignment.value);
  }
  require_disjoint(all);
}

}  // namespace wkvq
