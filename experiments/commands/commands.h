#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace wkvq {

/// Options that `plan`, `run` and `sensitivity` share.
struct SweepOptions {
  std::filesystem::path file;
  std::filesystem::path results = "results";
  std::vector<std::string> overrides;  ///< key.path=value
  std::string only;                    ///< shell pattern over run ids; empty: all
  std::filesystem::path data;          ///< published sets of the tasks
  std::string device;                  ///< overrides model.device where not empty
  bool force = false;                  ///< run again what is done
  /// Called with the file of each selected run that is done, now or before.
  std::function<void(const std::filesystem::path&)> on_done = {};
  /// The main number of a finished run's file, shown beside it; empty: none is.
  std::function<std::string(const std::filesystem::path&)> main_figure = {};
};

/// Lists the runs of a sweep with their ids, what is done and the estimated memory. Returns the
/// exit code.
int plan_command(const SweepOptions& options, std::ostream& out);

/// Runs what is not done yet. A failed run is recorded and the sweep goes on; returns 1 where one
/// failed. Bad input throws ConfigError before the first run starts.
int run_command(const SweepOptions& options, std::ostream& out);

/// Probes every block of the one configuration in the file, part by part, into one run file; what
/// is done is not done again. Errors are thrown.
int sensitivity_command(const SweepOptions& options, std::ostream& out);

/// `wkvq list methods|tasks|datasets|families [NAME]`.
int list_command(const std::string& what, const std::string& name, std::ostream& out);

}  // namespace wkvq
