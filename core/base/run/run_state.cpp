#include "core/base/run/run_state.h"

#include <sys/stat.h>

#include <map>

#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/hdf5/probe.h"
#include "core/base/run/run_summary.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

/// Errors are no matter, only what crashes or does not end.
template <class Action>
void attempt(Action&& action) {
  try {
    action();
  } catch (const ConfigError&) {
  }
}

/// Everything below `group`.
void read_all(const hdf5::Reader& file, const std::string& group, int levels) {
  attempt([&] { file.attributes(group); });
  for (const std::string& name : file.datasets(group)) {
    attempt([&] { file.column(group, name); });
    attempt([&] { file.array(group, name); });
    attempt([&] { file.attribute(group, name); });
  }
  if (levels == 0) return;
  for (const std::string& name : file.groups(group))
    attempt([&] { read_all(file, group == "/" ? "/" + name : group + "/" + name, levels - 1); });
}

RunState read_state(const fs::path& path) {
  try {
    const RunSummary run = read_run(path);
    if (run.status == "done") return {RunStatus::kDone, {}, {}};
    if (run.status == "failed") return {RunStatus::kFailed, run.error, {}};
    return {RunStatus::kDamaged, fmt::format("{}: status '{}'", path.string(), run.status), {}};
  } catch (const ConfigError& error) {
    return {RunStatus::kDamaged, error.what(), {}};
  }
}

}  // namespace

FileStamp stamp_of(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

std::vector<RunState> run_states(const std::vector<fs::path>& paths) {
  std::vector<RunState> states(paths.size());
  std::vector<size_t> present;
  for (size_t i = 0; i < paths.size(); ++i) {
    states[i].stamp = stamp_of(paths[i]);
    if (states[i].stamp != FileStamp()) present.push_back(i);
  }
  const auto endings = probe(present.size(), [&](size_t k) { read_run(paths[present[k]]); });
  for (size_t k = 0; k < present.size(); ++k) {
    RunState& state = states[present[k]];
    const FileStamp stamp = state.stamp;
    const fs::path& path = paths[present[k]];
    state = endings[k].empty() ? read_state(path)
                               : RunState{RunStatus::kDamaged,
                                          fmt::format("{}: damaged: reading it ended with {}",
                                                      path.string(), endings[k]),
                                          {}};
    state.stamp = stamp;
  }
  return states;
}

RunState run_state(const fs::path& path) {
  return run_states({path}).front();
}

void require_harmless(const fs::path& path) {
  constexpr int kLevels = 4;  // /calibration/block_00/parameters and one to spare
  // Every run of a sweep may name the same file.
  static std::map<fs::path, FileStamp> known;
  const FileStamp stamp = stamp_of(path);
  if (const auto found = known.find(path); found != known.end() && found->second == stamp) return;
  const std::string ending = probe(1, [&](size_t) {
                               attempt([&] { read_run(path); });
                               read_all(hdf5::Reader(path), "/", kLevels);
                             }).front();
  if (!ending.empty())
    config_error("{}: damaged: reading it ended with {}; expected an undamaged run file",
                 path.string(), ending);
  known[path] = stamp;
}

}  // namespace wkvq
