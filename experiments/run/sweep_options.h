#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "experiments/config/shard.h"

namespace wkvq {

/// Options that `plan`, `run` and `sensitivity` share.
struct SweepOptions {
  std::filesystem::path file;
  std::filesystem::path results = "results";
  std::vector<std::string> overrides;  ///< key.path=value
  std::string only;                    ///< shell pattern over run ids; empty: all
  std::optional<Shard> shard;          ///< of the runs that `only` selects; empty: all of them
  std::filesystem::path data;          ///< published sets of the tasks
  std::string device;                  ///< overrides model.device where not empty
  bool force = false;                  ///< run again what is done
  bool quiet = false;                  ///< no progress and no header on the terminal
  std::filesystem::path log;           ///< all that is said goes here, too, in plain lines
  /// Called with the file of each selected run that is done, now or before.
  std::function<void(const std::filesystem::path&)> on_done = {};
  /// The main number of a finished run's file, shown beside it; empty: none is.
  std::function<std::string(const std::filesystem::path&)> main_figure = {};
  /// Prints the first lines of a table of these runs; empty: nothing does.
  std::function<void(const std::vector<std::filesystem::path>&, std::ostream&)> first_rows = {};
};

}  // namespace wkvq
