#include "methods/gptq/gptq.h"

#include "core/statistics.h"
#include "core/torch_headers.h"
#include "methods/gptq/hessians.h"

namespace wkvq {

std::string Gptq::summary() const {
  return "GPTQ: weights rounded column by column, later columns make up for the error";
}

void Gptq::visit_own(OptionVisitor& v) {
  solver_.visit(v);
  v("true_sequential", true_sequential_, "later linears of a block see earlier ones quantized");
}

CalibrationNeeds Gptq::calibration_needs() const {
  return weight_.identity() ? WeightMethod::calibration_needs() : CalibrationNeeds::kQuantizedChain;
}

void Gptq::round(BlockContext& context, Recorder& recorder) {
  visit_with_hessians(
      context, true_sequential_, [&](const char* name, Linear& linear, const at::Tensor& hessian) {
        const GptqResult result = gptq_solve(linear.weight, hessian, weight_, solver_);
        record_weight_error(recorder, context.layer, name, linear.weight, result.weight);
        record_gptq(recorder, context.layer, name, result);
        linear.weight = result.weight;
      });
}

void record_gptq(Recorder& recorder, int64_t layer, const std::string& linear,
                 const GptqResult& result) {
  const std::string group = calibration_group(layer) + "/" + linear;
  recorder.attribute(group, "damping", result.damping);
  recorder.attribute(group, "dead_columns", result.dead_columns);
}

}  // namespace wkvq
