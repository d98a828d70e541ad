#include "methods/common/weight_method.h"

#include <map>

#include "core/base/error.h"
#include "core/kv_calibration.h"
#include "core/quantizer.h"
#include "core/statistics.h"
#include "core/torch_headers.h"
#include "methods/common/observe.h"

namespace wkvq {

void WeightMethod::visit(OptionVisitor& v) {
  v("weight", weight_, "the seven linears of every block");
  v("activation", activation_, "the inputs of these linears");
  visit_own(v);
  v("kv", kv_, "the key/value cache");
}

CalibrationNeeds WeightMethod::calibration_needs() const {
  return kv_.needs_statistics() || activation_.needs_statistics()
             ? CalibrationNeeds::kQuantizedChain
             : CalibrationNeeds::kNone;
}

void WeightMethod::check(const ModelConfig& model) const {
  if (kv_.learns() && !learns_channels())
    config_error(
        "method.kv: channel: 'learned' needs a method that trains (wkvquant, omniquant); expected "
        "none or static");
  if (weight_.identity()) return;
  for (const int64_t inputs :
       {model.hidden_size, model.heads * model.head_dim, model.intermediate_size})
    if (weight_.group_size > inputs)
      config_error(
          "method.weight: group_size {} does not fit the {} inputs of a linear; expected at most "
          "that, or -1",
          weight_.group_size, inputs);
}

void WeightMethod::calibrate(BlockContext& context, Recorder& recorder) {
  BlockWeights& weights = context.block.weights;
  transform(context, recorder);
  if (!weight_.identity()) round(context, recorder);
  std::map<std::string, at::Tensor> largest;
  if (activation_.needs_statistics())
    largest = largest_inputs(context, weights, context.inputs_quantized());
  weights.visit_linears([&](const char* name, Linear& linear) {
    const double top = largest.contains(name) ? largest[name].max().item<double>() : 0;
    linear.input = ActivationQuantizer(activation_, top);
  });
  KvRanges ranges;
  if (kv_.needs_statistics()) ranges = collect_kv_ranges(context, kv_);
  const KvChannels channels{static_channels(kv_.key, ranges.key),
                            static_channels(kv_.value, ranges.value)};
  KvGrids grids;
  if (kv_.fits_grid()) grids = fit_kv_grids(context, kv_, channels);
  record_kv_grids(recorder, context.layer, grids);
  context.block.codec = {{kv_.key, channels.key, grids.key},
                         {kv_.value, channels.value, grids.value}};
}

void WeightMethod::round(BlockContext& context, Recorder& recorder) {
  context.block.weights.visit_linears([&](const char* name, Linear& linear) {
    const at::Tensor quantized = fake_quantize(linear.weight, weight_);
    record_weight_error(recorder, context.layer, name, linear.weight, quantized);
    linear.weight = quantized;
  });
}

double WeightMethod::weight_bits(int64_t inputs, int64_t compute_bits) const {
  return weight_.bits_per_value(inputs, compute_bits);
}

}  // namespace wkvq
