#include "experiments/config/plan.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "core/base/yaml/yaml_text.h"
#include "experiments/config/sweep_axes.h"

namespace wkvq {
namespace {

constexpr size_t kMaxRuns = 10'000;
constexpr size_t kMaxValues = 10'000'000;  // of all runs together, about 1.5 GB
constexpr size_t kMaxName = 80;
constexpr std::string_view kSweep = "sweep.";

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

/// `text` in small letters, every run of letters that a file name should not have as one dash.
std::string clean(const std::string& text) {
  std::string out;
  bool pending = false;
  for (char letter : text) {
    if (!is_name_letter(letter)) {
      pending = true;
      continue;
    }
    if (pending && !out.empty()) out += '-';
    pending = false;
    out += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return out;
}

/// Removes `key` from the document: it belongs to the sweep, not to a run.
std::optional<YamlEntry> extract(YamlNode& document, const std::string& key) {
  const auto found = std::find_if(document.entries.begin(), document.entries.end(),
                                  [&](const YamlEntry& entry) { return entry.key.text == key; });
  if (found == document.entries.end()) return std::nullopt;
  YamlEntry entry = std::move(*found);
  document.entries.erase(found);
  return entry;
}

/// A path written behind --set; `source` is how messages name it.
YamlNode override_path(const std::string& text, const std::string& source) {
  YamlNode path = YamlNode::scalar(text, false);
  path.source = std::make_shared<const std::string>(source);
  split_path(path);
  return path;
}

std::string override_source(const std::string& text) {
  return fmt::format("--set '{}'", shown(text));
}

Assignment parse_override(const std::string& text) {
  const std::string source = override_source(text);
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    config_error("{}: expected key.path=value, or '~key.path' to remove one", source);
  }
  Assignment assignment;
  assignment.path = override_path(text.substr(0, equals), source);
  assignment.value = parse_yaml_argument(text.substr(equals + 1), source);
  if (assignment.value.is_null())
    config_error("{}: nothing given, expected a value, or '~{}' to remove the key", source,
                 assignment.path.text);
  return assignment;
}

/// Axes are keys with dots inside `sweep`, so their paths are not followed key by key.
void replace_axis(YamlNode& document, Assignment assignment) {
  assignment.path.text = assignment.path.text.substr(kSweep.size());
  YamlEntry* sweep = document.find("sweep");
  if (!sweep) {
    YamlNode key = assignment.path;
    key.text = "sweep";
    document.entries.push_back({key, YamlNode::map()});
    sweep = &document.entries.back();
  }
  if (YamlEntry* axis = sweep->value.find(assignment.path.text)) {
    *axis = {assignment.path, assignment.value};
  } else if (sweep->value.is_map()) {
    sweep->value.entries.push_back({assignment.path, assignment.value});
  }
}

/// The key or axis that `--set '~path'` names goes; the last axis takes `sweep` along.
void remove_key(YamlNode& document, const std::string& text) {
  const YamlNode path = override_path(text.substr(1), override_source(text));
  YamlEntry* sweep = path.text.starts_with(kSweep) ? document.find("sweep") : nullptr;
  if (!sweep) return remove(document, path);
  const std::string axis = path.text.substr(kSweep.size());
  std::vector<std::string> axes;
  for (const YamlEntry& entry : sweep->value.entries) axes.push_back(entry.key.text);
  const auto is_axis = [&](const YamlEntry& entry) { return entry.key.text == axis; };
  if (std::erase_if(sweep->value.entries, is_axis) == 0)
    config_error("{}: no sweep axis '{}'{}", path.where(), axis, suggestion(axis, axes, "axes"));
  if (sweep->value.entries.empty()) extract(document, "sweep");
}

/// Applies --set to `document`, one after the other; returns those that put a value into a run.
std::vector<Assignment> apply(const std::vector<std::string>& overrides, YamlNode& document) {
  std::vector<Assignment> applied;
  for (const auto& text : overrides) {
    if (text.starts_with('~')) {
      remove_key(document, text);
      continue;
    }
    Assignment assignment = parse_override(text);
    if (assignment.path.text.starts_with(kSweep)) {
      replace_axis(document, assignment);
    } else {
      const YamlNode path = resolved_path(document, assignment.path);
      assign(document, assignment);
      assignment.path = path;
      applied.push_back(std::move(assignment));
    }
  }
  return applied;
}

std::string sweep_name(const std::optional<YamlEntry>& given, const std::filesystem::path& path) {
  if (!given) {
    const std::string name = clean(path.stem().string()).substr(0, kMaxName);
    return name.empty() || name[0] == '.' ? "sweep" : name;
  }
  const std::string& name = given->value.text;
  const bool fits = !name.empty() && name.size() <= kMaxName && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), is_name_letter);
  if (!fits) {
    config_error("{}: name: {} cannot name a folder, expected at most {} of A-Z a-z 0-9 . _ -",
                 given->value.where(), given->value.describe(), kMaxName);
  }
  return name;
}

std::string last_two(const std::string& path) {
  const size_t last = path.rfind('.');
  if (last == std::string::npos || last == 0) return path;
  const size_t before = path.rfind('.', last - 1);
  return before == std::string::npos ? path : path.substr(before + 1);
}

std::string short_text(const YamlNode& value) {
  return value.is_scalar() ? value.text : flow_text(value);
}

PlannedRun make_run(const YamlNode& base, const std::vector<SweepAxis>& axes, size_t index) {
  PlannedRun run;
  run.config = base;
  size_t stride = 1;
  for (const auto& axis : axes) stride *= axis.points.size();
  for (const auto& axis : axes) {
    stride /= axis.points.size();
    for (const auto& assignment : axis.points[index / stride % axis.points.size()]) {
      assign(run.config, assignment);
      run.axes.emplace_back(assignment.path.text, short_text(assignment.value));
      run.slug +=
          fmt::format("{}{}-{}", run.slug.empty() ? "" : "_", clean(last_two(assignment.path.text)),
                      clean(short_text(assignment.value)));
    }
  }
  run.slug.resize(std::min(run.slug.size(), kMaxName));
  return run;
}

size_t count_values(const YamlNode& node) {
  size_t count = 1;
  for (const auto& item : node.items) count += count_values(item);
  for (const auto& entry : node.entries) count += count_values(entry.value);
  return count;
}

size_t count_runs(const std::vector<SweepAxis>& axes) {
  size_t count = 1;
  for (const auto& axis : axes) {
    if (axis.points.size() > kMaxRuns / count) {
      config_error("{}: sweep: more than {} runs with axis '{}'", axis.key.where(), kMaxRuns,
                   axis.key.text);
    }
    count *= axis.points.size();
  }
  return count;
}

}  // namespace

SweepFile load_sweep(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  YamlNode document = read_yaml(path);
  if (!document.is_map()) {
    config_error("{}: expected a map of keys and values, given {}", document.where(),
                 document.describe());
  }
  const auto applied = apply(overrides, document);
  const size_t values = count_values(document);
  const auto name = extract(document, "name");
  const auto sweep = extract(document, "sweep");
  const auto axes = sweep ? read_axes(*sweep) : std::vector<SweepAxis>();
  require_disjoint(axes, applied);

  SweepFile file{sweep_name(name, path), path, {}};
  const size_t count = count_runs(axes);
  if (count * values > kMaxValues) {
    config_error("{}: {} runs of up to {} values each, expected at most {} values in all",
                 path.string(), count, values, kMaxValues);
  }
  for (size_t i = 0; i < count; ++i) {
    file.runs.push_back(make_run(document, axes, i));
    if (file.runs.back().slug.empty()) file.runs.back().slug = clean(file.name);
  }
  return file;
}

std::string run_id(const std::string& slug, const std::vector<std::string>& identity) {
  Hasher hasher;
  for (const auto& part : identity) hasher.add_part(part);
  return fmt::format("{}-{}", slug, hasher.hex().substr(0, 10));
}

void require_distinct(const SweepFile& sweep, const std::vector<std::string>& ids) {
  const auto describe = [&](size_t i) {
    std::vector<std::string> axes;
    for (const auto& [path, value] : sweep.runs[i].axes) axes.push_back(shown(path + '=' + value));
    return fmt::format("run {} ({})", i + 1, fmt::join(axes, ", "));
  };
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < ids.size(); ++i) {
    // The slug tells how a run was written; the digits after it what it is.
    const auto [first, added] = seen.emplace(ids[i].substr(ids[i].rfind('-') + 1), i);
    if (added) continue;
    config_error("{}: {} and {} resolve to the same configuration", sweep.path.string(),
                 describe(first->second), describe(i));
  }
}

std::vector<size_t> select_runs(const std::vector<std::string>& ids, const std::string& glob) {
  std::vector<size_t> selected;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (fnmatch(glob.c_str(), ids[i].c_str(), 0) == 0) selected.push_back(i);
  }
  if (selected.empty()) {
    config_error("--only '{}' matches none of {} runs: {}", glob, ids.size(), fmt::join(ids, ", "));
  }
  return selected;
}

}  // namespace wkvq
