#include "experiments/commands/commands.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

#include "core/base/files/interrupt.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/progress.h"
#include "core/base/run/run_state.h"
#include "core/base/text/visible_text.h"
#include "experiments/run/resolved_sweep.h"
#include "experiments/run/results_folder.h"
#include "experiments/run/run_queue.h"
#include "experiments/run/sweep_execution.h"

namespace wkvq {

namespace {

/// In the list of a plan.
const char* state_text(const RunState& state, const std::filesystem::path& path) {
  if (state.status == RunStatus::kDone) return "done";
  if (Claim::holder(path)) return "running";
  return state.status == RunStatus::kDamaged ? "damaged" : "to do";
}

}  // namespace

int plan_command(const SweepOptions& options, std::ostream& out) {
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
  session.show_progress(ProgressSink::standard_error());
  ResolvedSweep sweep = resolve_sweep(options, session);
  const std::filesystem::path folder = options.results / sweep.file.name;
  const InterruptHandler interrupts(fmt::format(
      "wkvq: stopped; runs that are done and trained blocks stay in {}: the same command goes on",
      folder.string()));
  RunCounts counts;
  const auto tell = [&] {
    fmt::print(out, "{} runs: {}; results in {}\n", sweep.runs.size(), counts.text(),
               folder.string());
  };
  try {
    execute_sweep(sweep, options, session, counts, out);
  } catch (const WriteError& error) {
    // Every further run would compute for nothing.
    out << "failed: " << visible_text(error.what()) << std::endl;
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
