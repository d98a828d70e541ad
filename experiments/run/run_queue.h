#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/run/claim.h"
#include "core/base/run/run_state.h"

namespace wkvq {

/// What is to be done about a run.
enum class TurnKind {
  kOurs,        ///< do it: the queue holds the claim to its file until the next turn
  kDoneBefore,  ///< nothing: it was done when the queue was made
  kDoneElsewhere,
  kFailedElsewhere,  ///< another process has tried it meanwhile, and would fail again
};

struct Turn {
  size_t index = 0;  ///< of the run
  TurnKind kind = TurnKind::kOurs;
  std::string why;  ///< kFailedElsewhere: its error; kOurs: what was wrong with a damaged file
};

/// The runs of a sweep in an order that processes which work on the same results folder share: each
/// run is claimed before it starts, and its file is looked at again then. Runs that others do are
/// put off; where only those are left, next() waits until they are done, or takes over those whose
/// process has died.
class RunQueue {
 public:
  /// Makes the folders of the files and cleans them of what dead processes left. `states`: of the
  /// files when the command began. `force`: runs done before are done again. `waiting` is told, in
  /// one line, for which runs of whom the queue waits.
  RunQueue(std::vector<std::filesystem::path> files, std::vector<RunState> states, bool force,
           std::function<void(const std::string&)> waiting);

  /// Nothing where all runs had their turn. Gives back the claim of the turn before.
  std::optional<Turn> next();

  /// True where another process has taken over the run that is ours: its result is that one's to
  /// write, and the run will come again.
  bool taken_over();

 private:
  std::optional<Turn> look(size_t run);
  void tell_waiting();

  std::vector<std::filesystem::path> files_;
  std::vector<RunState> states_;
  bool force_;
  std::function<void(const std::string&)> waiting_;
  std::vector<size_t> pending_;
  size_t current_ = 0;
  std::unique_ptr<Claim> claim_;
  std::string told_;
};

}  // namespace wkvq
