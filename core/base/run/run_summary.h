#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/hdf5/hdf5.h"

namespace wkvq {

/// One reported number of a run: group /evaluation/<name>.
struct Evaluation {
  std::string name;
  std::string metric;  ///< perplexity, kl, acc, ...
  double value = NAN;
  double stderr_ = NAN;  ///< NaN where unknown
  int64_t n = 0;
  std::string kv_mode;
  std::string convention;
  std::string dataset;
  std::string task;
};

/// A run file without its raw rows.
struct RunSummary {
  std::filesystem::path path;
  std::string run_id;
  std::string sweep;
  std::string status;  ///< done, failed, running; reports add "unreadable"
  std::string error;
  hdf5::NamedAttributes attributes;  ///< of the root: provenance, times
  hdf5::NamedAttributes config;      ///< dotted key -> value, in order
  nlohmann::ordered_json config_tree;
  std::vector<Evaluation> evaluations;
  hdf5::NamedAttributes cost;  ///< seconds_<phase>, bytes_<component>, ...
};

/// ConfigError where `path` is no run file of this schema or is damaged.
RunSummary read_run(const std::filesystem::path& path);

/// True where `path` is a readable run file of this schema with status "done"; for many files see
/// run_states().
bool is_complete(const std::filesystem::path& path);

}  // namespace wkvq
