#include "analysis/read/load_runs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "analysis/read/dotted_key.h"
#include "analysis/read/merged_file.h"
#include "core/base/error.h"
#include "core/base/hdf5/probe.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

void collect(const fs::path& path, std::vector<fs::path>& files) {
  std::error_code error;
  if (!fs::exists(path, error)) config_error("{}: no such file or folder", path.string());
  if (!fs::is_directory(path, error)) {
    files.push_back(path);
    return;
  }
  const size_t before = files.size();
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(path, options, error), end; !error && it != end;
       it.increment(error))
    if (std::error_code ignored; it->path().extension() == ".h5" && it->is_regular_file(ignored))
      files.push_back(it->path());
  std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
}

RunSummary unreadable(const fs::path& path, const std::string& why) {
  RunSummary run;
  run.path = path;
  run.run_id = path.stem().string();
  run.status = "unreadable";
  run.error = why;
  return run;
}

RunSummary read_or_note(const fs::path& path) {
  try {
    return read_run(path);
  } catch (const ConfigError& error) {
    return unreadable(path, error.what());
  }
}

/// Adds the run of `path`, or all runs of a merged file. Of one that was only found in a folder
/// nothing is added: its runs lie there, too.
void add_runs(const fs::path& path, bool named, std::vector<RunSummary>& runs) {
  RunSummary run = read_or_note(path);
  const auto merged = run.status == "unreadable" ? merged_runs(path) : std::nullopt;
  if (!merged) return runs.push_back(std::move(run));
  if (!named) return;
  for (const fs::path& inner : *merged) runs.push_back(read_or_note(inner));
}

/// NaN is text here: it has no place among numbers.
std::optional<double> as_number(const AttributeValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value); real && !std::isnan(*real)) return *real;
  return std::nullopt;
}

std::string as_text(const AttributeValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : "nan";
}

}  // namespace

bool value_less(const AttributeValue* a, const AttributeValue* b) {
  if (!a || !b) return !a && b;
  const std::optional<double> x = as_number(*a);
  const std::optional<double> y = as_number(*b);
  if (x && y) return *x < *y;
  if (x || y) return x.has_value();
  return as_text(*a) < as_text(*b);
}

bool setting_less(const std::string& key, const AttributeValue* a, const AttributeValue* b) {
  const bool numbers = a && b && as_number(*a) && as_number(*b);
  return numbers && ends_with_part(key, "bits") ? value_less(b, a) : value_less(a, b);
}

const AttributeValue* config_value(const RunSummary& run, const std::string& key) {
  for (const auto& [name, value] : run.config)
    if (name == key) return &value;
  return nullptr;
}

std::vector<std::string> differing_keys(const std::vector<RunSummary>& runs) {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  std::vector<const RunSummary*> readable;
  for (const RunSummary& run : runs) {
    if (run.status == "unreadable") continue;
    readable.push_back(&run);
    auto place = keys.begin();
    for (const auto& [key, value] : run.config) {
      // A key that only some runs have stands after its neighbour.
      if (seen.insert(key).second)
        place = keys.insert(place, key) + 1;
      else
        place = std::find(keys.begin(), keys.end(), key) + 1;
    }
  }
  std::erase_if(keys, [&](const std::string& key) {
    const AttributeValue* first = config_value(*readable.front(), key);
    return std::none_of(readable.begin(), readable.end(), [&](const RunSummary* run) {
      const AttributeValue* other = config_value(*run, key);
      return value_less(first, other) || value_less(other, first);
    });
  });
  return keys;
}

std::vector<RunSummary> load_runs(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) collect(path, files);
  if (files.empty()) {
    std::string names;
    for (const fs::path& path : paths) names += (names.empty() ? "" : ", ") + path.string();
    config_error("no run files (*.h5) under {}", names);
  }
  std::set<fs::path> seen;
  std::erase_if(files, [&](auto& file) { return !seen.insert(fs::weakly_canonical(file)).second; });
  // HDF5 crashes on some damaged files, which must not take the other runs along.
  const auto crashes = probe(files.size(), [&](size_t i) { read_run(files[i]); });
  std::vector<RunSummary> runs;
  for (size_t i = 0; i < files.size(); ++i) {
    if (crashes[i].empty()) {
      add_runs(files[i], std::ranges::find(paths, files[i]) != paths.end(), runs);
    } else {
      runs.push_back(unreadable(
          files[i], files[i].string() + ": damaged: reading it ended with " + crashes[i]));
    }
  }
  const std::vector<std::string> keys = differing_keys(runs);
  std::stable_sort(runs.begin(), runs.end(), [&](const RunSummary& a, const RunSummary& b) {
    const bool broken_a = a.status == "unreadable";
    const bool broken_b = b.status == "unreadable";
    if (broken_a != broken_b) return broken_b;
    if (a.sweep != b.sweep) return a.sweep < b.sweep;
    for (const std::string& key : keys) {
      const AttributeValue* x = config_value(a, key);
      const AttributeValue* y = config_value(b, key);
      if (setting_less(key, x, y)) return true;
      if (setting_less(key, y, x)) return false;
    }
    return false;
  });
  return runs;
}

}  // namespace wkvq
