#include "analysis/status/folder_status.h"

#include <algorithm>
#include <ctime>
#include <set>

#include "analysis/read/merged_file.h"
#include "core/base/error.h"
#include "core/base/files/owner.h"
#include "core/base/run/claim_file.h"
#include "core/base/run/run_state.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::vector<fs::path> runs, claims, partial;
};

Found find(const fs::path& folder) {
  Found found;
  std::error_code error;
  if (!fs::is_directory(folder, error))
    config_error("{}: no folder; expected one with results", folder.string());
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(folder, options, error), end; !error && it != end;
       it.increment(error)) {
    const fs::path& path = it->path();
    if (path.extension() == ".partial") {
      found.partial.push_back(path);
      it.disable_recursion_pending();
    } else if (path.extension() == ".h5") {
      found.runs.push_back(path);
    } else if (path.extension() == kClaimExtension) {
      found.claims.push_back(path);
    }
  }
  for (auto* paths : {&found.runs, &found.claims, &found.partial}) std::ranges::sort(*paths);
  return found;
}

/// Of the file that `path`, a claim or a folder of trained blocks, stands beside.
std::string name_of(const fs::path& path) {
  const fs::path target = path.stem();
  return (target.extension() == ".h5" ? target.stem() : target).string();
}

/// False where the claim is gone meanwhile or is none.
bool read_status(const fs::path& path, int64_t now, ClaimStatus& status, bool& stale) {
  std::optional<ClaimFile> claim;
  try {
    claim = read_claim(path);
  } catch (const ConfigError&) {
  }
  if (!claim) return false;
  const auto owner = Owner::parse(claim->token);
  status = {.name = name_of(path),
            .path = path,
            .host = owner ? owner->host : "",
            .process = owner ? owner->process : 0,
            .since = claim->since,
            .silent = std::max<int64_t>(0, now - claim->time),
            .doing = claim->doing};
  stale = is_void(*claim, now);
  return true;
}

}  // namespace

FolderStatus folder_status(const fs::path& folder) {
  const Found found = find(folder);
  FolderStatus all;
  std::set<std::string> claimed;
  const int64_t now = std::time(nullptr);
  for (const fs::path& path : found.claims) {
    ClaimStatus status;
    bool stale = false;
    if (!read_status(path, now, status, stale)) continue;
    claimed.insert((path.parent_path() / path.stem()).string());
    (stale ? all.stale : all.running).push_back(std::move(status));
  }
  const std::vector<RunState> states = run_states(found.runs);
  for (size_t i = 0; i < states.size(); ++i) {
    const fs::path& path = found.runs[i];
    const std::string name = path.stem().string();
    if (states[i].status == RunStatus::kDone) all.done.push_back(name);
    if (claimed.contains(path.string())) continue;  // it is done again
    if (states[i].status == RunStatus::kFailed) all.failed.push_back({name, path, states[i].why});
    if (states[i].status == RunStatus::kDamaged && !merged_runs(path))
      all.damaged.push_back({name, path, states[i].why});
  }
  for (const fs::path& path : found.partial)
    if (!claimed.contains((path.parent_path() / path.stem()).string()))
      all.interrupted.push_back(name_of(path));
  return all;
}

}  // namespace wkvq
