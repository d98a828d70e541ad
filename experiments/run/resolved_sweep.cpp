#include "experiments/run/resolved_sweep.h"

#include "experiments/config/model_dtype.h"
#include "experiments/session/sampled_text_check.h"

namespace wkvq {

std::vector<std::filesystem::path> ResolvedSweep::paths() const {
  std::vector<std::filesystem::path> paths;
  for (const ResolvedRun& run : runs) paths.push_back(run.path);
  return paths;
}

ResolvedSweep resolve_sweep(const SweepOptions& options, Session& session) {
  ResolvedSweep sweep{load_sweep(options.file, options.overrides), {}};
  std::vector<std::string> ids;
  DtypeResolver dtypes;
  // All configurations are read before any model is opened: a typing error in the last run costs
  // nothing.
  for (PlannedRun& planned : sweep.file.runs) {
    sweep.runs.push_back({.config = read_run_config(planned.config)});
    if (!options.device.empty()) sweep.runs.back().config.model.device = options.device;
  }
  for (ResolvedRun& run : sweep.runs) dtypes.resolve(run.config.model);
  // Nor does a length that does not fit cost the time of sampling text for the runs before.
  for (const ResolvedRun& run : sweep.runs) check_sampled_text(run.config, session);
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    ResolvedRun& run = sweep.runs[i];
    run.fingerprints = fingerprints_of(run.config, session);
    std::vector<std::string> identity{run.config.identity_yaml(), run.fingerprints.model};
    identity.insert(identity.end(), run.fingerprints.data.begin(), run.fingerprints.data.end());
    run.id = run_id(sweep.file.runs[i].slug, identity);
    run.path = options.results / sweep.file.name / (run.id + ".h5");
    ids.push_back(run.id);
  }
  require_distinct(sweep.file, ids);
  if (options.only.empty()) return sweep;
  std::vector<ResolvedRun> selected;
  for (const size_t i : select_runs(ids, options.only))
    selected.push_back(std::move(sweep.runs[i]));
  sweep.runs = std::move(selected);
  return sweep;
}

}  // namespace wkvq
