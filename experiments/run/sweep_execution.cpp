#include "experiments/run/sweep_execution.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "core/base/files/temporary_file.h"
#include "core/base/run/activity.h"
#include "core/base/run/progress.h"
#include "core/base/run/run_file.h"
#include "core/base/text/visible_text.h"
#include "experiments/run/calibration_text.h"
#include "experiments/run/error_watch.h"
#include "experiments/run/failure.h"
#include "experiments/run/learned_files.h"
#include "experiments/run/run_queue.h"
#include "experiments/run/sweep_progress.h"

namespace wkvq {

namespace {

class Execution {
 public:
  Execution(ResolvedSweep& sweep, const SweepOptions& options, Session& session, SweepVoice& voice)
      : sweep_(sweep),
        options_(options),
        session_(session),
        voice_(voice),
        states_(run_states(sweep.paths())),
        progress_(sweep.runs.size(), voice.sinks()) {
    announce();
  }

  void run(RunCounts& counts) {
    RunQueue queue(sweep_.paths(), states_, options_.force,
                   [&](const std::string& line) { voice_.say(line); });
    while (const auto turn = queue.next()) {
      ResolvedRun& run = sweep_.runs[turn->index];
      if (turn->kind == TurnKind::kFailedElsewhere) {
        failed(run, turn->why, counts);
      } else if (turn->kind != TurnKind::kOurs) {
        ++(turn->kind == TurnKind::kDoneBefore ? counts.before : counts.elsewhere);
        done(run);
      } else if (const auto error = execute(*turn, queue)) {
        if (error->empty()) {
          ++counts.now;
          done(run);
        } else {
          failed(run, *error, counts);
        }
      }
      if (turn->kind != TurnKind::kOurs) progress_.skip(turn->index);
    }
  }

 private:
  /// Says what is to be done on what, and tells the progress how much work it is.
  void announce() {
    std::set<std::string> models;
    size_t coming = 0;
    for (size_t i = 0; i < sweep_.runs.size(); ++i) {
      const RunConfig& config = sweep_.runs[i].config;
      if (states_[i].status == RunStatus::kDone && !options_.force) continue;
      ++coming;
      models.insert(model_line(config.model, session_));
      progress_.expect(i, estimated_work(config, session_, prepare_evaluations(config, session_)));
    }
    if (coming == 0) return;
    voice_.say(
        fmt::format("sweep {}: {} runs, {} to do", sweep_.file.name, sweep_.runs.size(), coming));
    for (const std::string& model : models) voice_.say("model " + visible_text(model));
  }

  void done(const ResolvedRun& run) const {
    if (options_.on_done) options_.on_done(run.path);
  }

  void failed(const ResolvedRun& run, const std::string& error, RunCounts& counts) {
    ++counts.failed;
    voice_.tell("failed: " + run.id + ": " + visible_text(error));
  }

  /// Executes the run of a turn that is ours. Returns the error, empty where there was none;
  /// nothing where another process has taken the run over.
  std::optional<std::string> execute(const Turn& turn, RunQueue& queue) {
    ResolvedRun& run = sweep_.runs[turn.index];
    if (!turn.why.empty()) voice_.warn(turn.why + "; the run is done again");
    std::vector<std::string> warnings = run_warnings(run.config, session_);
    // Once a sweep, before the bar of the run that meets it first.
    for (const std::string& warning : warnings)
      if (told_.insert(warning).second) voice_.warn(warning);
    const size_t before = warnings.size();
    tell_activity("preparing");
    progress_.begin(turn.index, run.id);
    const auto error = write(run, queue, warnings);
    progress_.end(!error                 ? "taken over by another process"
                  : !error->empty()      ? "failed"
                  : options_.main_figure ? options_.main_figure(run.path)
                                         : "done");
    for (size_t i = before; i < warnings.size(); ++i) voice_.warn(run.id + ": " + warnings[i]);
    return error;
  }

  /// The same, into the run's file; adds what is to be said of it to `warnings`.
  std::optional<std::string> write(ResolvedRun& run, RunQueue& queue,
                                   std::vector<std::string>& warnings) {
    RunFileWriter writer(run.path, {run.id, sweep_.file.name, run.config.canonical_yaml()});
    record_fingerprints(writer, run.fingerprints);
    std::filesystem::path partial = run.path;
    partial += ".partial";
    const auto& calibration = run.config.calibration;
    LearnedFiles learned(partial, calibration ? calibration->from : std::string());
    ErrorWatch errors(writer);
    std::string failure;
    try {
      execute_run(
          run.config, session_, errors,
          [&](double share) { progress_.reach(share, note_of(errors)); }, &learned);
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

  /// What the run is doing, and the errors that it has left so far.
  static std::string note_of(const ErrorWatch& errors) {
    const std::string doing = activity(), seen = errors.note();
    return doing.empty() || seen.empty() ? doing + seen : doing + "; " + seen;
  }

  ResolvedSweep& sweep_;
  const SweepOptions& options_;
  Session& session_;
  SweepVoice& voice_;
  std::vector<RunState> states_;
  SweepProgress progress_;
  std::set<std::string> told_;
};

}  // namespace

std::string RunCounts::text() const {
  const std::string others =
      elsewhere == 0 ? "" : fmt::format("{} done by other processes, ", elsewhere);
  return fmt::format("{} done now, {} done before, {}{} failed", now, before, others, failed);
}

void execute_sweep(ResolvedSweep& sweep, const SweepOptions& options, Session& session,
                   RunCounts& counts, SweepVoice& voice) {
  Execution(sweep, options, session, voice).run(counts);
}

}  // namespace wkvq
