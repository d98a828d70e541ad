#include "methods/common/weight_method.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/kv_calibration.h"
#include "core/packed_weight.h"
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
  bool quantizes = false;
  for (int64_t layer = 0; layer < model.layers; ++layer)
    for (const char* linear : kLinearNames) quantizes |= !weight_of(layer, linear).identity();
  if (!quantizes) return;
  for (const int64_t inputs :
       {model.hidden_size, model.heads * model.head_dim, model.intermediate_size})
    if (weight_.group_size > inputs)
      config_error(
          "method.weight: group_size {} does not fit the {} inputs of a linear; expected at most "
          "that, or -1",
          weight_.group_size, inputs);
}

void WeightMethod::check_packable(const ModelConfig& model) const {
  const int64_t heads = model.heads * model.head_dim;
  for (int64_t layer = 0; layer < model.layers; ++layer)
    for (const std::string linear : kLinearNames) {
      const QuantSpec spec = weight_of(layer, linear);
      if (spec.identity()) continue;
      wkvq::check_packable(spec, linear == "o_proj"      ? heads
                                 : linear == "down_proj" ? model.intermediate_size
                                                         : model.hidden_size);
    }
}

MethodMemory WeightMethod::calibration_memory(const ModelConfig& model,
                                              const CalibrationSize& size) const {
  if (!kv_.fits_grid()) return {};
  // Of keys or values: the sampled tokens, what is fitted to them, and copies of both on the way.
  constexpr double kCopies = 6;
  const auto tokens = static_cast<double>(std::min(size.tokens, kRangeTokens));
  return {.bytes = kCopies * tokens * static_cast<double>(model.kv_heads * model.head_dim) *
                   size.element_bytes};
}

void WeightMethod::calibrate(BlockContext& context, Recorder& recorder) {
  BlockWeights& weights = context.block.weights;
  transform(context, recorder);
  const bool rounds = std::ranges::any_of(kLinearNames, [&](const char* linear) {
    return !weight_of(context.layer, linear).identity();
  });
  if (rounds) round(context, recorder);
  std::map<std::string, at::Tensor> largest;
  if (activation_.needs_statistics())
    largest = largest_inputs(context, weights, context.inputs_quantized());
  weights.visit_linears([&](const char* name, Linear& linear) {
    const double top = largest.contains(name) ? largest[name].max().item<double>() : 0;
    linear.input = ActivationQuantizer(activation_, top);
  });
  const KvOptions kv = kv_of(context.layer);
  KvRanges ranges;
  if (kv.needs_statistics()) ranges = collect_kv_ranges(context, kv);
  const KvChannels channels{static_channels(kv.key, ranges.key),
                            static_channels(kv.value, ranges.value)};
  KvGrids grids;
  if (kv.fits_grid()) grids = fit_kv_grids(context, kv, channels);
  record_kv_grids(recorder, context.layer, grids);
  context.block.codec = {{kv.key, channels.key, grids.key},
                         {kv.value, channels.value, grids.value}};
}

void WeightMethod::round(BlockContext& context, Recorder& recorder) {
  context.block.weights.visit_linears([&](const char* name, Linear& linear) {
    const QuantSpec spec = weight_of(context.layer, name);
    if (spec.identity()) return;
    replace_weight(context, recorder, name, linear,
                   round_weight(linear.weight, spec, context.keep_codes));
  });
}

void WeightMethod::replace_weight(const BlockContext& context, Recorder& recorder, const char* name,
                                  Linear& linear, const RoundedWeight& rounded) {
  record_weight_error(recorder, context.layer, name, linear.weight, rounded.weight);
  linear.weight = rounded.weight;
  linear.codes = rounded.codes;
}

double WeightMethod::weight_bits(int64_t layer, const std::string& linear, int64_t inputs,
                                 int64_t compute_bits) const {
  return weight_of(layer, linear).bits_per_value(inputs, compute_bits);
}

}  // namespace wkvq
