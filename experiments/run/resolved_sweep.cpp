#include "experiments/run/resolved_sweep.h"

#include <fmt/format.h>

#include "core/base/options/options_text.h"
#include "core/base/yaml/yaml_text.h"
#include "experiments/config/model_dtype.h"
#include "experiments/config/shard.h"
#include "experiments/run/work.h"
#include "experiments/session/sampled_text_check.h"

namespace wkvq {

namespace {

void keep(ResolvedSweep& sweep, const std::vector<size_t>& chosen) {
  std::vector<ResolvedRun> kept;
  for (const size_t i : chosen) kept.push_back(std::move(sweep.runs[i]));
  sweep.runs = std::move(kept);
}

/// Equal for runs of one model and, where they calibrate, one calibration text.
std::string shared_work(const RunConfig& config) {
  const bool calibrates = config.method->calibration_needs() != CalibrationNeeds::kNone;
  YamlWriter writer;
  writer.text("model", fmt::format("{} {} {}", config.model.path, config.model.device,
                                   static_cast<int>(config.model.dtype)));
  if (calibrates && config.calibration) {
    const CalibrationOptions& text = *config.calibration;
    writer.text("name", text.data.name);
    writer.write(*text.data.dataset);
    writer.text("windows", fmt::format("{} {} {}", text.samples, text.length, text.seed));
  }
  return flow_text(writer.root());
}

/// Leaves the runs of `shard`.
void take_shard(ResolvedSweep& sweep, const Shard& shard, Session& session) {
  std::vector<ShardItem> items;
  double all = 0, chosen_work = 0;
  for (const ResolvedRun& run : sweep.runs) {
    const RunWork work =
        estimated_work(run.config, session, prepare_evaluations(run.config, session));
    items.push_back({work.total(false), shared_work(run.config)});
    all += items.back().work;
  }
  const std::vector<size_t> shards = divide(items, shard.count);
  std::vector<size_t> chosen;
  for (size_t i = 0; i < items.size(); ++i) {
    if (shards[i] != shard.index) continue;
    chosen.push_back(i);
    chosen_work += items[i].work;
  }
  keep(sweep, chosen);
  sweep.work_share = chosen_work / all;
}

}  // namespace

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
  if (!options.only.empty()) keep(sweep, select_runs(ids, options.only));
  sweep.all = sweep.runs.size();
  if (options.shard) take_shard(sweep, *options.shard, session);
  return sweep;
}

}  // namespace wkvq
