#pragma once

#include <map>
#include <string>

#include "core/base/options/options.h"
#include "core/base/recorder.h"
#include "methods/mixed/bit_front.h"

namespace wkvq {

/// What is summed over places: the increase of the mean NLL, or the mean KL divergence from full
/// precision, which the noise of text hardly touches.
enum class BudgetMeasure { kNll, kKl };

/// `budget:` of method mixed. Averages are of bits a stored value, scales and minima not counted:
/// over the elements of all linears, and over those of all keys and values of a token.
struct BudgetOptions {
  std::string from;
  BudgetMeasure measure = BudgetMeasure::kNll;
  double average_weight_bits = 0;
  double average_kv_bits = 0;

  void visit(OptionVisitor& v);
};

/// Bits of places under a budget, from the losses that `wkvq sensitivity` measured: the assignment
/// that minimizes the sum of the losses of single parts.
class BitBudget {
 public:
  BitBudget() = default;  ///< picks nothing
  /// ConfigError where the file is no sensitivity run, lacks a part, or reaches no average as low.
  explicit BitBudget(const BudgetOptions& options);

  /// What was picked for `part` ("weights", "keys", "values") of a block; null where nothing was.
  const BitChoice* picked(int64_t layer, const std::string& part) const;
  /// Run id of the file; empty without one.
  const std::string& run_id() const { return run_id_; }
  /// ConfigError where the file is of another model.
  void require_model(const std::string& fingerprint) const;
  /// Writes the fronts, /calibration/front_weights and front_kv: columns average_bits and loss;
  /// attributes average_bits and predicted_loss of what was picked, and measure.
  void record(Recorder& recorder) const;

 private:
  struct Front {
    std::vector<FrontPoint> points;
    FrontPoint picked;
    double elements = 0;
  };
  using Parts = std::map<std::pair<int64_t, std::string>, BitPlace>;
  void pick(const Parts& parts, const std::string& name, double average_bits);

  std::string from_, run_id_, model_fingerprint_, measure_;
  std::map<std::pair<int64_t, std::string>, BitChoice> picked_;
  std::map<std::string, Front> fronts_;  ///< by name: weights, kv
};

}  // namespace wkvq
