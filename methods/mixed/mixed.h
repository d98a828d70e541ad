#pragma once

#include "methods/common/weight_method.h"
#include "methods/gptq/rounding_options.h"
#include "methods/mixed/bit_budget.h"

namespace wkvq {

/// What is stored at a place.
struct PlaceFormat {
  int64_t bits = 0;
  FormatId format = FormatId::kInteger;
};

/// One of `rules:`: bits or format of every place whose name matches a shell pattern (*, ?, [abc]).
struct BitRule {
  std::string match;
  PlaceFormat place;

  void visit(OptionVisitor& v);
};

/// Mixed precision: every place, block_NN/<linear>, block_NN/key and block_NN/value, has bits of
/// its own. The last rule that matches decides; where none does, the bits picked under `budget`;
/// else those of `weight` and `kv`, which also hold everything else about the grids.
class Mixed final : public WeightMethod {
 public:
  std::string summary() const override;
  KvOptions kv_of(int64_t layer, const ModelConfig& model) const override;
  CalibrationNeeds calibration_needs() const override;
  void check(const ModelConfig& model) const override;
  void check_packable(const ModelConfig& model) const override;
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const override;
  std::vector<std::string> input_identities(const std::string& model_fingerprint) const override;
  /// Also records the bits of every place, /calibration/bits, and what the budget chose from.
  void calibrate(BlockContext& context, Recorder& recorder) override;

 protected:
  void visit_own(OptionVisitor& v) override;
  QuantSpec weight_of(int64_t layer, const std::string& linear) const override;
  int64_t wanted_tokens(const ModelConfig& model) const override;
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  /// `otherwise` where no rule and no budget says anything.
  PlaceFormat format_of(int64_t layer, const std::string& place, int64_t otherwise) const;

  RoundingOptions rounding_;
  std::vector<BitRule> rules_;
  BudgetOptions budget_options_;
  BitBudget budget_;
};

}  // namespace wkvq
