#include "analysis/read/damaged_runs.h"

#include "core/base/files/seal.h"
#include "core/base/hdf5/inner_path.h"
#include "core/base/hdf5/probe.h"

namespace wkvq {
namespace {

void read_whole(const hdf5::Reader& file, const std::string& group) {
  for (const std::string& name : file.datasets(group)) file.column(group, name);
  for (const std::string& name : file.groups(group))
    read_whole(file, (group == "/" ? "" : group) + "/" + name);
}

void read_places(const RunSummary& run) {
  const hdf5::Reader file(run.path);
  for (const char* place : {"/evaluation", "/calibration", "/statistics", "/warnings"})
    if (file.has_group(place)) read_whole(file, place);
}

}  // namespace

void note_damaged(std::vector<RunSummary>& runs) {
  std::vector<RunSummary*> unsealed;
  for (RunSummary& run : runs)
    if (run.status == "done" && !hdf5::inner_path(run.path) && !check_seal(run.path))
      unsealed.push_back(&run);
  const auto crashes = probe(unsealed.size(), [&](size_t i) { read_places(*unsealed[i]); });
  for (size_t i = 0; i < unsealed.size(); ++i) {
    if (crashes[i].empty()) continue;
    unsealed[i]->status = "unreadable";
    unsealed[i]->error = "damaged: reading it ended with " + crashes[i];
  }
}

}  // namespace wkvq
