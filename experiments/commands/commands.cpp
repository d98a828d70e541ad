#include "experiments/commands/commands.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <numeric>
#include <ostream>

#include "core/base/files/interrupt.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/progress.h"
#include "core/base/run/run_state.h"
#include "core/base/text/shell_text.h"
#include "core/base/text/visible_text.h"
#include "experiments/run/resolved_sweep.h"
#include "experiments/run/results_folder.h"
#include "experiments/run/run_queue.h"
#include "experiments/run/sweep_execution.h"
#include "experiments/run/work.h"

namespace wkvq {

namespace {

/// In the list of a plan.
const char* state_text(const RunState& state, const std::filesystem::path& path) {
  if (state.status == RunStatus::kDone) return "done";
  if (Claim::holder(path)) return "running";
  return state.status == RunStatus::kDamaged ? "damaged" : "to do";
}

/// About how much each phase of a run is (experiments/run/work.h), and what a process reads.
std::string phases_line(const RunConfig& config, Session& session) {
  const RunWork work = estimated_work(config, session, prepare_evaluations(config, session));
  const auto layers = static_cast<double>(work.layers);
  const double after = std::accumulate(work.evaluations.begin(), work.evaluations.end(), 0.0);
  const auto stored =
      static_cast<double>(session.model(config.model).checkpoint->files().stored_bytes());
  return fmt::format(
      "        multiplications, about: {:.3g} calibration, {:.3g} quantized text, {:.3g} full "
      "precision, {:.3g} scores; {:.2f} GB of weights in {} blocks\n",
      layers * work.calibration, layers * work.streams, layers * work.reference, after,
      stored / 1e9, work.layers);
}

/// The first rows of the sweep's table, and how to see all of it.
void show_table(const ResolvedSweep& sweep, const SweepOptions& options,
                const std::filesystem::path& folder, std::ostream& out) {
  if (!options.first_rows) return;
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& path : sweep.paths())
    if (std::filesystem::exists(path)) files.push_back(path);
  if (files.empty()) return;
  options.first_rows(files, out);
  fmt::print(out, "all of it: wkvq report {}\n", shell_word(folder.string()));
}

}  // namespace

int plan_command(const SweepOptions& options, std::ostream& out, bool phases) {
  Session session(cache_folder(options.results), options.data);
  session.show_progress(ProgressSink::standard_error());
  const ResolvedSweep sweep = resolve_sweep(options, session);
  const std::vector<RunState> states = run_states(sweep.paths());
  size_t done = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const ResolvedRun& run = sweep.runs[i];
    const double memory = estimated_bytes(run.config, session);
    fmt::print(out, "{:<8}{:>10.2f} GB  {}\n", state_text(states[i], run.path), memory / 1e9,
               run.id);
    if (phases) out << phases_line(run.config, session);
    done += states[i].status == RunStatus::kDone;
  }
  fmt::print(out,
             "{} runs of sweep '{}', {} done; GB = 1e9 bytes, the most that a process of that "
             "run alone is expected to hold\n",
             sweep.runs.size(), sweep.file.name, done);
  if (options.shard)
    fmt::print(out, "shard {}/{}: {} of {} runs, {:.0f} % of the estimated work\n",
               options.shard->index, options.shard->count, sweep.runs.size(), sweep.all,
               100 * sweep.work_share);
  return 0;
}

int run_command(const SweepOptions& options, std::ostream& out) {
  require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  if (!options.quiet) session.show_progress(ProgressSink::standard_error());
  SweepVoice voice(options, out);
  ResolvedSweep sweep = resolve_sweep(options, session);
  const std::filesystem::path folder = options.results / sweep.file.name;
  const InterruptHandler interrupts(fmt::format(
      "wkvq: stopped; runs that are done and trained blocks stay in {}: the same command goes on",
      folder.string()));
  RunCounts counts;
  const auto tell = [&] {
    voice.tell(fmt::format("{} runs: {}; results in {}", sweep.runs.size(), counts.text(),
                           folder.string()));
  };
  try {
    execute_sweep(sweep, options, session, counts, voice);
  } catch (const WriteError& error) {
    // Every further run would compute for nothing.
    voice.tell("failed: " + visible_text(error.what()));
    ++counts.failed;
    tell();
    voice.tell(fmt::format(
        "stopped with {} runs left: results cannot be written; with room for them the same command "
        "goes on",
        sweep.runs.size() - counts.sum()));
    return 1;
  }
  tell();
  if (!options.quiet) show_table(sweep, options, folder, out);
  return counts.failed == 0 ? 0 : 1;
}

}  // namespace wkvq
