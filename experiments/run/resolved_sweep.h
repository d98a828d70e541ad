#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/config/plan.h"
#include "experiments/run/runner.h"
#include "experiments/run/sweep_options.h"

namespace wkvq {

/// A planned run with everything resolved.
struct ResolvedRun {
  RunConfig config;
  Fingerprints fingerprints;
  std::string id;
  std::filesystem::path path;  ///< of its file
};

struct ResolvedSweep {
  SweepFile file;
  std::vector<ResolvedRun> runs;
  size_t all = 0;         ///< runs of the sweep, `only` applied, of every shard
  double work_share = 1;  ///< of their estimated work that `runs` are

  std::vector<std::filesystem::path> paths() const;
};

/// The runs that `options` select, read, checked and named before any of them starts. ConfigError.
ResolvedSweep resolve_sweep(const SweepOptions& options, Session& session);

}  // namespace wkvq
