#include "experiments/commands.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/options_yaml.h"
#include "core/base/progress.h"
#include "core/base/run_file.h"
#include "core/base/run_state.h"
#include "core/base/temporary_file.h"
#include "core/base/visible_text.h"
#include "core/base/yaml_text.h"
#include "experiments/calibration_text.h"
#include "experiments/error_watch.h"
#include "experiments/failure.h"
#include "experiments/learned_files.h"
#include "experiments/model_dtype.h"
#include "experiments/plan.h"
#include "experiments/results_folder.h"
#include "experiments/run_queue.h"
#include "experiments/runner.h"

namespace wkvq {

namespace {

/// A planned run with everything resolved.
struct ResolvedRun {
  RunConfig config;
  Fingerprints fingerprints;
  std::string id;
  std::filesystem::path path;
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

std::vector<std::filesystem::path> files_of(const ResolvedSweep& sweep) {
  std::vector<std::filesystem::path> files;
  for (const ResolvedRun& run : sweep.runs) files.push_back(run.path);
  return files;
}

/// Once a sweep, before the bar of the run that meets it first.
void warn(const std::vector<std::string>& warnings, std::set<std::string>& told) {
  for (const std::string& warning : warnings)
    if (told.insert(warning).second)
      fmt::print(stderr, "wkvq: warning: {}\n", visible_text(warning));
}

/// Executes one run into its file and adds what is to be said of it to `warnings`. Returns the
/// error, empty where there was none; nothing where another process has taken the run over.
/// WriteError where the disk takes no results.
std::optional<std::string> execute(const ResolvedSweep& sweep, ResolvedRun& run, Session& session,
                                   RunQueue& queue, std::vector<std::string>& warnings) {
  RunFileWriter writer(run.path, {run.id, sweep.file.name, run.config.canonical_yaml()});
  Progress progress(run.id, static_cast<int64_t>(run.config.evaluations.size()) +
                                session.model(run.config.model).checkpoint->config().layers);
  record_fingerprints(writer, run.fingerprints);
  std::filesystem::path partial = run.path;
  partial += ".partial";
  const auto& calibration = run.config.calibration;
  LearnedFiles learned(partial, calibration ? calibration->from : std::string());
  ErrorWatch errors(writer);
  std::string failure;
  try {
    execute_run(
        run.config, session, errors,
        [&](double done, int64_t) { progress.reach(done, errors.note()); }, &learned);
  } catch (const std::exception& error) {
    failure = failure_text(error);
  }
  if (queue.taken_over()) return std::nullopt;
  if (!failure.empty()) {
    writer.fail(failure);
    return failure;
  }
  std::ranges::move(errors.warnings(), std::back_inserter(warnings));
  record_warnings(writer, warnings);
  writer.finish();
  learned.discard();
  return std::string();
}

/// What became of the runs of one command.
struct Counts {
  size_t now = 0, before = 0, elsewhere = 0, failed = 0;

  size_t sum() const { return now + before + elsewhere + failed; }
  std::string text() const {
    const std::string others =
        elsewhere == 0 ? "" : fmt::format("{} done by other processes, ", elsewhere);
    return fmt::format("{} done now, {} done before, {}{} failed", now, before, others, failed);
  }
};

/// Every run until all had their turn.
void run_all(const SweepOptions& options, ResolvedSweep& sweep, Session& session, Counts& counts,
             std::ostream& out) {
  const auto files = files_of(sweep);
  RunQueue queue(files, run_states(files), options.force,
                 [&](const std::string& line) { out << line << std::endl; });
  std::set<std::string> told;
  const auto failed = [&](const ResolvedRun& run, const std::string& error) {
    ++counts.failed;
    out << "failed: " << run.id << ": " << visible_text(error) << std::endl;
  };
  while (const auto turn = queue.next()) {
    ResolvedRun& run = sweep.runs[turn->index];
    if (turn->kind == TurnKind::kFailedElsewhere) {
      failed(run, turn->why);
      continue;
    }
    if (turn->kind == TurnKind::kOurs) {
      if (!turn->why.empty())
        fmt::print(stderr, "wkvq: warning: {}; the run is done again\n", turn->why);
      std::vector<std::string> warnings = run_warnings(run.config, session);
      warn(warnings, told);
      const size_t before = warnings.size();
      const auto error = execute(sweep, run, session, queue, warnings);
      for (size_t i = before; i < warnings.size(); ++i)
        fmt::print(stderr, "wkvq: warning: {}: {}\n", run.id, visible_text(warnings[i]));
      if (!error) continue;
      if (!error->empty()) {
        failed(run, *error);
        continue;
      }
    }
    if (options.on_done) options.on_done(run.path);
    ++(turn->kind == TurnKind::kOurs         ? counts.now
       : turn->kind == TurnKind::kDoneBefore ? counts.before
                                             : counts.elsewhere);
  }
}

/// In the list of a plan.
const char* state_text(const RunState& state, const std::filesystem::path& path) {
  if (state.status == RunStatus::kDone) return "done";
  if (Claim::holder(path)) return "running";
  return state.status == RunStatus::kDamaged ? "damaged" : "to do";
}

}  // namespace

int plan_command(const SweepOptions& options, std::ostream& out) {
  Session session(cache_folder(options.results), options.data);
  const ResolvedSweep sweep = resolve(options, session);
  const std::vector<RunState> states = run_states(files_of(sweep));
  size_t done = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const ResolvedRun& run = sweep.runs[i];
    const double memory = estimated_bytes(run.config, session);
    fmt::print(out, "{:<8}{:>10.2f} GB  {}\n", state_text(states[i], run.path), memory / 1e9,
               run.id);
    done += states[i].status == RunStatus::kDone;
  }
  fmt::print(out,
             "{} runs of sweep '{}', {} done; GB = 1e9 bytes, the most that a process of that "
             "run alone is expected to hold\n",
             sweep.runs.size(), sweep.file.name, done);
  return 0;
}

int run_command(const SweepOptions& options, std::ostream& out) {
  require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  ResolvedSweep sweep = resolve(options, session);
  const std::filesystem::path folder = options.results / sweep.file.name;
  const InterruptHandler interrupts(fmt::format(
      "wkvq: stopped; runs that are done and trained blocks stay in {}: the same command goes on",
      folder.string()));
  Counts counts;
  const auto tell = [&] {
    fmt::print(out, "{} runs: {}; results in {}\n", sweep.runs.size(), counts.text(),
               folder.string());
  };
  try {
    run_all(options, sweep, session, counts, out);
  } catch (const WriteError& error) {
    // Every further run would compute for nothing.
    out << "failed: " << error.what() << std::endl;
    ++counts.failed;
    tell();
    fmt::print(out,
               "stopped with {} runs left: results cannot be written; with room for them the "
               "same command goes on\n",
               sweep.runs.size() - counts.sum());
    return 1;
  }
  tell();
  return counts.failed == 0 ? 0 : 1;
}

}  // namespace wkvq
