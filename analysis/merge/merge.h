#pragma once

#include <filesystem>
#include <ostream>
#include <vector>

namespace wkvq {

/// What `wkvq merge` was asked for.
struct MergeOptions {
  std::vector<std::filesystem::path> paths;  ///< run files, folders searched for them, merged files
  std::filesystem::path out;                 ///< appears whole or not at all
};

/// Copies every run that is done into one file, schema wkvq-merged-1: group /runs/<run id> is that
/// run's file, bit for bit, and /index has columns with one row an evaluation. A run that is there
/// twice must have found the same (run_content). ConfigError where it has not, where nothing is
/// done, or where `out` is another file than a merged one. All of it is in memory at once, twice.
/// Returns the exit code.
int merge_command(const MergeOptions& options, std::ostream& out);

}  // namespace wkvq
