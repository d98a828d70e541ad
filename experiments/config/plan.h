#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// One point of a sweep, not yet checked against the options that exist.
struct PlannedRun {
  std::vector<std::pair<std::string, std::string>> axes;  ///< path and value, on one line each
  YamlNode config;   ///< the document without `name` and `sweep`, axes applied
  std::string slug;  ///< "weight.bits-4_kv.bits-3" of [a-z0-9.-_], at most 80 letters; never empty
};

/// A sweep file as docs/configuration.md describes it.
struct SweepFile {
  std::string name;  ///< its key `name`, or the stem of the file; fit for a folder
  std::filesystem::path path;
  std::vector<PlannedRun> runs;  ///< at least one; the first axis varies slowest
};

/// Reads the file, applies `overrides` ("method.kv.bits=4", as given to --set; a path that starts
/// with "sweep." replaces that axis) and expands the sweep. ConfigError names what is malformed and
/// where; more than 10 000 runs are refused.
SweepFile load_sweep(const std::filesystem::path& path, const std::vector<std::string>& overrides);

/// Name of a run: the slug and ten hexadecimal digits over `identity`, all that its result depends
/// on (canonical configuration, fingerprints of model and data).
std::string run_id(const std::string& slug, const std::vector<std::string>& identity);

/// Throws where two runs of `sweep` resolve to one id; `ids` in the order of the runs.
void require_distinct(const SweepFile& sweep, const std::vector<std::string>& ids);

/// Indices of the ids that match the shell pattern `glob` (*, ?, [abc]); ConfigError where none
/// does.
std::vector<size_t> select_runs(const std::vector<std::string>& ids, const std::string& glob);

}  // namespace wkvq
