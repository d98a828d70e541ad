#pragma once

#include <array>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "core/base/run/progress.h"
#include "experiments/run/work.h"

namespace wkvq {

/// Tells how far a sweep is: "[3/12] run id 45 % ...", and how much of the sweep is done and left,
/// by the work that its runs are. What a unit of work takes is measured apart for runs that train.
class SweepProgress {
 public:
  /// `runs`: how many there are, those done before included. All `sinks` are told the same.
  SweepProgress(size_t runs, std::vector<ProgressSink> sinks)
      : runs_(runs), sinks_(std::move(sinks)) {}

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
  struct Done {
    double work = 0, seconds = 0;
  };

  std::string remaining(double share) const;
  double elapsed() const { return bars_.empty() ? 0 : bars_.front().elapsed(); }

  size_t runs_;
  std::vector<ProgressSink> sinks_;
  std::map<size_t, RunWork> coming_;  ///< by place
  bool first_ = true;    ///< nothing was begun: the next run carries full precision on, too
  bool trains_ = false;  ///< the run under way
  double work_ = 0;      ///< of it
  std::string label_;
  std::list<Progress> bars_;
  std::array<Done, 2> done_;  ///< of runs that train not, and of those that do
};

/// "datasets/mini: 6 blocks, 4.7 M parameters, float32 on cpu, 2 threads".
std::string model_line(const ModelOptions& options, Session& session);

}  // namespace wkvq
