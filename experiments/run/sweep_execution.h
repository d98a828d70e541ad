#pragma once

#include <cstddef>
#include <string>

#include "experiments/run/resolved_sweep.h"
#include "experiments/run/sweep_voice.h"

namespace wkvq {

/// What became of the runs of one command.
struct RunCounts {
  size_t now = 0, before = 0, elsewhere = 0, failed = 0;

  size_t sum() const { return now + before + elsewhere + failed; }
  /// "3 done now, 1 done before, 0 failed".
  std::string text() const;
};

/// Runs every run of `sweep` that is not done, or waits until another process has done it, and
/// counts in `counts`. WriteError where the disk takes no results.
void execute_sweep(ResolvedSweep& sweep, const SweepOptions& options, Session& session,
                   RunCounts& counts, SweepVoice& voice);

}  // namespace wkvq
