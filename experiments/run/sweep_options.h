#pragma once

#include <filesystem>
#include <functional>
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
  /// Called with the file of each selected run that is done, now or before.
  std::function<void(const std::filesystem::path&)> on_done = {};
  /// The main number of a finished run's file, shown beside it; empty: none is.
  std::function<std::string(const std::filesystem::path&)> main_figure = {};
};

}  // namespace wkvq
