#include "analysis/merge/merge.h"

#include <fmt/ostream.h>

#include <map>

#include "analysis/merge/merge_index.h"
#include "analysis/merge/run_content.h"
#include "analysis/read/load_runs.h"
#include "analysis/read/merged_file.h"
#include "core/base/error.h"
#include "core/base/files/interrupt.h"
#include "core/base/files/temporary_file.h"
#include "core/base/hdf5/inner_path.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

/// ConfigError unless both found the same.
void require_equal(const RunSummary& first, const RunSummary& second) {
  const auto a = run_content(first.path), b = run_content(second.path);
  if (a == b) return;
  std::string place;
  for (const auto* from : {&a, &b}) {
    const auto& other = from == &a ? b : a;
    for (const auto& [group, hash] : *from)
      if (const auto found = other.find(group); found == other.end() || found->second != hash)
        place = place.empty() || group < place ? group : place;
  }
  config_error(
      "run '{}' is in {} and in {} with different content, first at {}; expected equal ones",
      first.run_id, first.path.string(), second.path.string(), place);
}

/// The runs that are done, each once; says which others are left out.
std::vector<RunSummary> done_runs(const std::vector<fs::path>& paths, size_t& twice,
                                  std::ostream& out) {
  std::vector<RunSummary> kept;
  std::map<std::string, size_t> places;
  for (RunSummary& run : load_runs(paths)) {
    if (run.status != "done") {
      fmt::print(out, "left out: {}: {}\n", run.path.string(),
                 run.error.empty() ? run.status : visible_text(run.status + ": " + run.error));
      continue;
    }
    const auto [place, added] = places.emplace(run.run_id, kept.size());
    if (added) {
      kept.push_back(std::move(run));
    } else {
      require_equal(kept[place->second], run);
      ++twice;
    }
  }
  if (kept.empty()) config_error("no run that is done; nothing is merged");
  return kept;
}

void require_free(const fs::path& out) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(out, error)) && !merged_runs(out))
    config_error("--out {}: exists and is no merged file; expected a new name", out.string());
}

}  // namespace

int merge_command(const MergeOptions& options, std::ostream& out) {
  require_free(options.out);
  size_t twice = 0;
  const std::vector<RunSummary> runs = done_runs(options.paths, twice, out);
  const InterruptHandler interrupts("wkvq: stopped; nothing was written");
  const fs::path folder = options.out.has_parent_path() ? options.out.parent_path() : ".";
  remove_leftovers(folder, options.out.filename().string() + ".");
  hdf5::Writer file(options.out);
  file.attribute("/", "schema", kMergedSchema);
  file.attribute("/", "runs", static_cast<int64_t>(runs.size()));
  write_merge_index(runs, file);
  for (const RunSummary& run : runs)
    file.copy(run.path, fmt::format("{}/{}", hdf5::kMergedRuns, run.run_id));
  file.close();
  fmt::print(out, "{}: {} runs, {} bytes{}\n", options.out.string(), runs.size(),
             fs::file_size(options.out),
             twice == 0 ? "" : fmt::format("; {} were there twice, equal", twice));
  return 0;
}

}  // namespace wkvq
