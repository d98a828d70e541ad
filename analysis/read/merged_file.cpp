#include "analysis/read/merged_file.h"

#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/files/seal.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/hdf5/inner_path.h"

namespace wkvq {

std::optional<std::vector<std::filesystem::path>> merged_runs(const std::filesystem::path& path) {
  try {
    require_regular_file(path);
    // Only what has its seal is opened without a process for crashes.
    if (!check_seal(path)) return std::nullopt;
    const hdf5::Reader file(path);
    const auto schema = file.attribute("/", "schema");
    if (!schema || *schema != AttributeValue(kMergedSchema)) return std::nullopt;
    std::vector<std::filesystem::path> runs;
    for (const std::string& run : file.groups(hdf5::kMergedRuns)) runs.push_back(path / run);
    return runs;
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

}  // namespace wkvq
