#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/score/evaluation.h"

namespace wkvq {

/// About how much a run has to do, in multiplications: what progress and remaining time stand on.
/// Only ratios matter.
struct RunWork {
  int64_t layers = 0;
  bool trains = false;              ///< its estimate is another's: parameters are trained
  double calibration = 0;           ///< of one block
  double streams = 0;               ///< through one block, quantized
  double reference = 0;             ///< through one block, in full precision; once a sweep
  std::vector<double> evaluations;  ///< by entry: head, KL, decoding, generation

  /// `with_reference`: full precision's streams are not there yet.
  double total(bool with_reference) const;
};

/// That of `config`, whose evaluations are `prepared`.
RunWork estimated_work(const RunConfig& config, Session& session,
                       const std::vector<PreparedEvaluation>& prepared);

/// Turns what is done of one run into a share of its work.
class WorkDone {
 public:
  /// `tell` gets shares from 0 to 1 and may be empty; only the thread that made this tells.
  WorkDone(RunWork work, bool with_reference, std::function<void(double share)> tell);

  /// `done` blocks, a fraction of one being that of its calibration.
  void blocks(double done) const;
  /// All blocks, the entries before `entry` and `share` of that one.
  void evaluation(size_t entry, double share) const;

 private:
  RunWork work_;
  bool with_reference_;
  std::function<void(double)> tell_;
};

}  // namespace wkvq
