#pragma once

#include <ostream>

#include "experiments/commands/slurm_script.h"

namespace wkvq {

/// Writes the script of an array job over the runs of a sweep beside its results and gives it to
/// sbatch; `dry_run`: prints it, nothing else. Bad input is found before. Returns the exit code: 1
/// where sbatch refuses.
int submit_command(const SweepOptions& sweep, const SlurmOptions& slurm, bool dry_run,
                   std::ostream& out);

}  // namespace wkvq
