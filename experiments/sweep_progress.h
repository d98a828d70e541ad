#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "experiments/work.h"

namespace wkvq {

/// Tells how far a sweep is: "[3/12] run id 45 % ...", with the time that the run and all runs
/// after it take, by the work that they are.
class SweepProgress {
 public:
  /// `runs`: how many there are, those done before included.
  SweepProgress(size_t runs, ProgressSink sink) : runs_(runs), sink_(std::move(sink)) {}

  /// A run to come, in order: its place among all (from 0) and what it has to do.
  void expect(size_t place, RunWork work);
  /// The run at `place` begins; those before it that have not begun are left out.
  void begin(size_t place, const std::string& id);
  /// `share` of it is done, 0 to 1.
  void reach(double share);
  /// It has ended; `outcome` says how.
  void end(const std::string& outcome);

 private:
  /// What the run at `next_` has to do; the first one carries full precision on, too.
  double work_of(size_t index) const { return coming_[index].work.total(index == 0); }
  std::string remaining(double share) const;

  struct Coming {
    size_t place;
    RunWork work;
  };
  size_t runs_;
  ProgressSink sink_;
  std::vector<Coming> coming_;
  size_t next_ = 0;
  std::string label_;
  std::optional<Progress> progress_;
  double done_work_ = 0, done_seconds_ = 0;
};

/// "datasets/mini: 6 blocks, 4.7 M parameters, float32 on cpu, 2 threads".
std::string model_line(const ModelOptions& options, Session& session);

}  // namespace wkvq
