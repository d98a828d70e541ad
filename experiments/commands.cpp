#include "experiments/commands.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <chrono>
#include <ostream>
#include <set>

#include "core/base/error.h"
#include "core/base/options_yaml.h"
#include "core/base/progress.h"
#include "core/base/run_file.h"
#include "core/base/run_summary.h"
#include "core/base/visible_text.h"
#include "core/base/yaml_text.h"
#include "experiments/calibration_text.h"
#include "experiments/failure.h"
#include "experiments/learned_files.h"
#include "experiments/model_dtype.h"
#include "experiments/plan.h"
#include "experiments/results_folder.h"
#include "experiments/runner.h"

namespace wkvq {

namespace {

/// A planned run with everything resolved.
struct ResolvedRun {
  RunConfig config;
  Fingerprints fingerprints;
  std::string id;
  std::filesystem::path path;
  bool done = false;
};

struct ResolvedSweep {
  SweepFile file;
  std::vector<ResolvedRun> runs;
};

ResolvedSweep resolve(const SweepOptions& options, Session& session) {
  ResolvedSweep sweep{load_sweep(options.file, options.overrides), {}};
  std::vector<std::string> ids;
  DtypeResolver dtypes;
  // All configurations are read before any model is opened: a typing error in the last run costs
  // nothing.
  for (PlannedRun& planned : sweep.file.runs) {
    sweep.runs.push_back({.config = read_run_config(planned.config)});
    if (!options.device.empty()) sweep.runs.back().config.model.device = options.device;
  }
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    ResolvedRun& run = sweep.runs[i];
    dtypes.resolve(run.config.model);
    run.fingerprints = fingerprints_of(run.config, session);
    std::vector<std::string> identity{run.config.canonical_yaml(), run.fingerprints.model};
    identity.insert(identity.end(), run.fingerprints.data.begin(), run.fingerprints.data.end());
    run.id = run_id(sweep.file.runs[i].slug, identity);
    run.path = options.results / sweep.file.name / (run.id + ".h5");
    run.done = is_complete(run.path);
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

/// Once a sweep, before the bar of the run that meets it first.
void warn_of_overlap(const RunConfig& config, Session& session, std::set<std::string>& told) {
  for (const std::string& warning : overlap_warnings(config, session))
    if (told.insert(warning).second)
      fmt::print(stderr, "wkvq: warning: {}\n", visible_text(warning));
}

/// Executes one run into its file. Returns the error, empty where there was none.
std::string execute(const ResolvedSweep& sweep, ResolvedRun& run, Session& session) {
  RunFileWriter writer(run.path, {run.id, sweep.file.name, run.config.canonical_yaml()});
  Progress progress(run.id, static_cast<int64_t>(run.config.evaluations.size()) +
                                session.model(run.config.model).checkpoint->config().layers);
  record_fingerprints(writer, run.fingerprints);
  std::filesystem::path partial = run.path;
  partial += ".partial";
  const auto& calibration = run.config.calibration;
  LearnedFiles learned(partial, calibration ? calibration->from : std::string());
  auto beat = std::chrono::steady_clock::now();
  try {
    execute_run(
        run.config, session, writer,
        [&](double done, int64_t) {
          progress.reach(done);
          // A flush a second tells a living run from a dead one; more would only cost time.
          const auto now = std::chrono::steady_clock::now();
          if (now - beat < std::chrono::seconds(1)) return;
          beat = now;
          writer.heartbeat();
        },
        &learned);
  } catch (const std::exception& error) {
    const std::string text = failure_text(error);
    writer.fail(text);
    return text;
  }
  writer.finish();
  learned.discard();
  return {};
}

}  // namespace

int plan_command(const SweepOptions& options, std::ostream& out) {
  Session session(cache_folder(options.results), options.data);
  const ResolvedSweep sweep = resolve(options, session);
  size_t done = 0;
  for (const ResolvedRun& run : sweep.runs) {
    const double memory = estimated_bytes(run.config, session);
    fmt::print(out, "{:<8}{:>10.2f} GB  {}\n", run.done ? "done" : "to do", memory / 1e9, run.id);
    done += run.done;
  }
  fmt::print(out,
             "{} runs of sweep '{}', {} done; GB = 1e9 bytes, an estimate of weights held, streams "
             "and logits\n",
             sweep.runs.size(), sweep.file.name, done);
  return 0;
}

int run_command(const SweepOptions& options, std::ostream& out) {
  require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  ResolvedSweep sweep = resolve(options, session);
  size_t failed = 0, skipped = 0;
  std::set<std::string> told;
  for (ResolvedRun& run : sweep.runs) {
    if (run.done && !options.force) {
      ++skipped;
      if (options.on_done) options.on_done(run.path);
      continue;
    }
    warn_of_overlap(run.config, session, told);
    const std::string error = execute(sweep, run, session);
    if (error.empty()) {
      if (options.on_done) options.on_done(run.path);
      continue;
    }
    ++failed;
    fmt::print(out, "failed: {}: {}\n", run.id, visible_text(error));
  }
  fmt::print(out, "{} runs: {} done now, {} done before, {} failed; results in {}\n",
             sweep.runs.size(), sweep.runs.size() - skipped - failed, skipped, failed,
             (options.results / sweep.file.name).string());
  return failed == 0 ? 0 : 1;
}

}  // namespace wkvq
