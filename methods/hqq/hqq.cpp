#include "methods/hqq/hqq.h"

#include "core/base/error.h"

namespace wkvq {

Hqq::Hqq() {
  weight_.form = QuantForm::kMinimum;
  weight_.range = QuantRange::kRaw;
}

std::string Hqq::summary() const {
  return "HQQ: round to nearest with offsets moved so that large errors count little; no data";
}

void Hqq::check(const ModelConfig& model) const {
  WeightMethod::check(model);
  const bool integers = number_format(weight_.format).whole_numbers();
  if (!weight_.identity() && integers &&
      (weight_.form != QuantForm::kMinimum || weight_.per_tensor))
    config_error(
        "method.weight: hqq moves the real offset of every group; expected form: minimum, not "
        "per_tensor");
}

void Hqq::round(BlockContext& context, Recorder& recorder) {
  // Formats other than integers have no offsets to move.
  if (!number_format(weight_.format).whole_numbers()) return WeightMethod::round(context, recorder);
  context.block.weights.visit_linears([&](const char* name, Linear& linear) {
    replace_weight(context, recorder, name, linear,
                   hqq_round(linear.weight, weight_, solver_, context.keep_codes));
  });
}

}  // namespace wkvq
