#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/base/run/progress.h"
#include "experiments/run/work.h"

namespace wkvq {

/// Tells how far a sweep is: "[3/12] run id 45 % ...", with the time that the run and all runs
/// after it take, by the work that they are.
class SweepProgress {
 public:
  /// `runs`: how many there are, those done before included.
  SweepProgress(size_t runs, ProgressSink sink) : runs_(runs), sink_(std::move(sink)) {}

  /// A run to come: its place among all (from 0) and what it has to do.
  void expect(size_t place, RunWork work);
  /// The one at `place` begins, which was expected.
  void begin(size_t place, const std::string& id);
  /// `share` of it is done, 0 to 1; `note` says what is known of it so far.
  void reach(double share, const std::string& note = {});
  /// It has ended; `outcome` says how.
  void end(const std::string& outcome);
  /// The one at `place` needs no work of this process any more.
  void skip(size_t place) { coming_.erase(place); }

 private:
  std::string remaining(double share) const;

  size_t runs_;
  ProgressSink sink_;
  std::map<size_t, RunWork> coming_;  ///< by place
  bool first_ = true;  ///< nothing was begun: the next run carries full precision on, too
  double work_ = 0;    ///< of the run under way
  std::string label_;
  std::optional<Progress> progress_;
  double done_work_ = 0, done_seconds_ = 0;
};

/// "datasets/mini: 6 blocks, 4.7 M parameters, float32 on cpu, 2 threads".
std::string model_line(const ModelOptions& options, Session& session);

}  // namespace wkvq
