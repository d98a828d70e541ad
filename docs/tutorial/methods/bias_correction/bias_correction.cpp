#include "methods/bias_correction/bias_correction.h"

#include <fmt/format.h>

#include "core/device/torch_headers.h"
#include "methods/common/observe.h"

namespace wkvq {

std::string BiasCorrection::summary() const {
  return "round to nearest; biases take back the shift of the mean output";
}

void BiasCorrection::visit_own(OptionVisitor& v) {
  v("share", share_, "of the shift that is taken back, 0 to 1");
  if (!(share_ >= 0 && share_ <= 1)) v.reject("share", fmt::format("{}; expected 0 to 1", share_));
}

CalibrationNeeds BiasCorrection::calibration_needs() const {
  return weight_.identity() ? WeightMethod::calibration_needs() : CalibrationNeeds::kQuantizedChain;
}

void BiasCorrection::round(BlockContext& context, Recorder& recorder) {
  BlockWeights& weights = context.block.weights;
  std::map<std::string, at::Tensor> exact, sums;  // weight [out, in], sum of its inputs [in]
  std::map<std::string, int64_t> tokens;
  weights.visit_linears([&](const char* name, Linear& linear) { exact[name] = linear.weight; });
  observe_inputs(context, weights, context.inputs_quantized(),
                 [&](const std::string& name, const at::Tensor& x) {  // [tokens, in]
                   at::Tensor& sum = sums[name];
                   sum = sum.defined() ? sum + x.sum(0) : x.sum(0);
                   tokens[name] += x.size(0);
                 });
  WeightMethod::round(context, recorder);
  weights.visit_linears([&](const char* name, Linear& linear) {
    const at::Tensor shift = at::mv(linear.weight - exact[name], sums[name] / tokens[name]);
    linear.bias = (linear.bias.defined() ? linear.bias : at::zeros_like(shift)) - share_ * shift;
  });
}

}  // namespace wkvq
