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
#include "core/base/yaml_text.h"
#include "experiments/calibration_text.h"
#include "experiments/failure.h"
#include "experiments/learned_files.h"
#include "experiments/plan.h"
#include "experiments/results_folder.h"
#include "experiments/runner.h"
#include "experiments/sampled_text_check.h"
#include "experiments/sweep_progress.h"

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
  // All configurations are read before any model is opened: a typing error in the last run costs
  // nothing.
  for (PlannedRun& planned : sweep.file.runs) {
    sweep.runs.push_back({.config = read_run_config(planned.config)});
    if (!options.device.empty()) sweep.runs.back().config.model.device = options.device;
  }
  // Nor does a length that does not fit cost the time of sampling text for the runs before.
  for (const ResolvedRun& run : sweep.runs) check_sampled_text(run.config, session);
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    ResolvedRun& run = sweep.runs[i];
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
    if (told.insert(warning).second) fmt::print(stderr, "wkvq: warning: {}\n", warning);
}

/// Executes one run into its file. Returns the error, empty where there was none.
std::string execute(const ResolvedSweep& sweep, ResolvedRun& run, Session& session,
                    const SweepOptions& options, SweepProgress& progress) {
  RunFileWriter writer(run.path, {run.id, sweep.file.name, run.config.canonical_yaml()});
  progress.begin(static_cast<size_t>(&run - sweep.runs.data()), run.id);
  record_fingerprints(writer, run.fingerprints);
  std::filesystem::path partial = run.path;
  partial += ".partial";
  const auto& calibration = run.config.calibration;
  LearnedFiles learned(partial, calibration ? calibration->from : std::string());
  auto beat = std::chrono::steady_clock::now();
  try {
    execute_run(
        run.config, session, writer,
        [&](double share) {
          progress.reach(share);
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
    progress.end("failed");
    return text;
  }
  writer.finish();
  learned.discard();
  progress.end(options.main_figure ? options.main_figure(run.path) : "done");
  return {};
}

/// Says what is to be done on what, and tells `progress` how much work it is.
void announce(const ResolvedSweep& sweep, const SweepOptions& options, Session& session,
              SweepProgress& progress, std::ostream& out) {
  std::set<std::string> models;
  size_t coming = 0;
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    const ResolvedRun& run = sweep.runs[i];
    if (run.done && !options.force) continue;
    ++coming;
    models.insert(model_line(run.config.model, session));
    progress.expect(i,
                    estimated_work(run.config, session, prepare_evaluations(run.config, session)));
  }
  if (coming == 0) return;
  fmt::print(out, "sweep {}: {} runs, {} to do\n", sweep.file.name, sweep.runs.size(), coming);
  for (const std::string& model : models) fmt::print(out, "model {}\n", model);
  out.flush();
}

}  // namespace

int plan_command(const SweepOptions& options, std::ostream& out) {
  Session session(cache_folder(options.results), options.data);
  session.show_progress(ProgressSink::standard_error());
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
  session.show_progress(ProgressSink::standard_error());
  ResolvedSweep sweep = resolve(options, session);
  size_t failed = 0, skipped = 0;
  std::set<std::string> told;
  SweepProgress progress(sweep.runs.size(), ProgressSink::standard_error());
  announce(sweep, options, session, progress, out);
  for (ResolvedRun& run : sweep.runs) {
    if (run.done && !options.force) {
      ++skipped;
      if (options.on_done) options.on_done(run.path);
      continue;
    }
    warn_of_overlap(run.config, session, told);
    const std::string error = execute(sweep, run, session, options, progress);
    if (error.empty()) {
      if (options.on_done) options.on_done(run.path);
      continue;
    }
    ++failed;
    fmt::print(out, "failed: {}: {}\n", run.id, error);
  }
  fmt::print(out, "{} runs: {} done now, {} done before, {} failed; results in {}\n",
             sweep.runs.size(), sweep.runs.size() - skipped - failed, skipped, failed,
             (options.results / sweep.file.name).string());
  return failed == 0 ? 0 : 1;
}

}  // namespace wkvq
