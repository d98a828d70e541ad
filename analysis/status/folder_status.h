#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace wkvq {

/// A claim in a results folder: a process that works at a file, or one that has died.
struct ClaimStatus {
  std::string name;  ///< of the run, or of the file that is made
  std::filesystem::path path;
  std::string host;  ///< empty where it cannot be known
  uint64_t process = 0;
  int64_t since = 0;   ///< seconds of Unix, by that host's clock; 0: not known
  int64_t silent = 0;  ///< seconds since it was renewed, by this machine's clock, at least 0
  std::string doing;
};

/// A run whose file says why there are no results.
struct FailedStatus {
  std::string name;
  std::filesystem::path path;
  std::string why;
};

/// What is known of a results folder from its files. Nothing is changed, nobody waits.
struct FolderStatus {
  std::vector<ClaimStatus> running, stale;    ///< stale: void, the next process takes it
  std::vector<FailedStatus> failed, damaged;  ///< not those that run again
  std::vector<std::string> interrupted;       ///< trained blocks are kept, nobody works at it
  std::vector<std::string> done;
};

/// Of `folder` and all folders below it, in order of path. ConfigError where it is none.
FolderStatus folder_status(const std::filesystem::path& folder);

}  // namespace wkvq
