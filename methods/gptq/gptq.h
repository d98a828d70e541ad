#pragma once

#include "methods/common/weight_method.h"
#include "methods/gptq/gptq_solver.h"

namespace wkvq {

/// GPTQ (Frantar et al., arXiv 2210.17323): weights rounded column by column, the rest of a row
/// making up for the error on the calibration inputs; with `gptaq` also for that of the inputs
/// themselves (Li et al., arXiv 2504.02692).
class Gptq final : public WeightMethod {
 public:
  std::string summary() const override;
  CalibrationNeeds calibration_needs() const override;
  void check_packable(const ModelConfig& model) const override;
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const override;

 protected:
  void visit_own(OptionVisitor& v) override;
  int64_t wanted_tokens(const ModelConfig& model) const override;
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  GptqOptions solver_;
  bool true_sequential_ = true;
  double gptaq_ = 0;
};

/// Tokens of calibration text that GPTQ wants: eight an input of the widest linear. Of fewer the
/// second moments say more of this text than of the model (docs/methods.md).
int64_t gptq_tokens(const ModelConfig& model);

/// Throws ConfigError where the codes of such a rounding cannot be packed: see permutes_groups.
void check_group_order(const GptqOptions& options, const QuantSpec& spec);

/// Writes what became of the solver's damping and its dead columns to
/// /calibration/block_NN/<linear>.
void record_gptq(Recorder& recorder, int64_t layer, const std::string& linear,
                 const GptqResult& result);

}  // namespace wkvq
