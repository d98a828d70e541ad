#pragma once

#include <iosfwd>
#include <string>

#include "experiments/run/sweep_options.h"

namespace wkvq {

/// Lists the runs of a sweep with their ids, what is done and the estimated memory; `phases`: and
/// about how many multiplications each phase takes. Returns the exit code.
int plan_command(const SweepOptions& options, std::ostream& out, bool phases = false);

/// Runs what is not done yet. A failed run is recorded and the sweep goes on; returns 1 where one
/// failed. Bad input throws ConfigError before the first run starts.
int run_command(const SweepOptions& options, std::ostream& out);

/// Probes every block of the one configuration in the file, part by part, into one run file; what
/// is done is not done again. Errors are thrown.
int sensitivity_command(const SweepOptions& options, std::ostream& out);

/// `wkvq list methods|tasks|datasets|families|formats [NAME]`.
int list_command(const std::string& what, const std::string& name, std::ostream& out);

}  // namespace wkvq
