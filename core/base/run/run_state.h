#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace wkvq {

/// What is known of a run from its file: missing, done, failed, or a file that cannot be read (or
/// holds something else), which is to be done again.
enum class RunStatus { kMissing, kDone, kFailed, kDamaged };

/// Tells one version of a file from another; equal only where nobody has written it between.
struct FileStamp {
  uint64_t inode = 0;  ///< 0: there is no file
  int64_t bytes = 0, seconds = 0, nanoseconds = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::filesystem::path& path);

struct RunState {
  RunStatus status = RunStatus::kMissing;
  std::string why;  ///< of a failed run its error, of a damaged file what is wrong
  FileStamp stamp;  ///< as it was before the file was read
};

/// The states of run files. They are read in a child process first, one for all: a damaged file
/// that crashes HDF5, or keeps it for ever, is told like any other. Never throws for a file.
std::vector<RunState> run_states(const std::vector<std::filesystem::path>& paths);

/// The state of one.
RunState run_state(const std::filesystem::path& path);

/// ConfigError where reading run file `path` crashes HDF5 or does not end; for files that are named
/// by the user and read as a whole afterwards.
void require_harmless(const std::filesystem::path& path);

}  // namespace wkvq
