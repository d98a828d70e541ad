#include "methods/common/weight_method.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/calibrate/fitted_rotation.h"
#include "core/calibrate/kv_calibration.h"
#include "core/calibrate/kv_gradients.h"
#include "core/calibrate/statistics.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"
#include "methods/common/observe.h"
#include "methods/common/output_error.h"

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

bool WeightMethod::quantizes_weights(const ModelConfig& model) const {
  for (int64_t layer = 0; layer < model.layers; ++layer)
    for (const LinearSpec& linear : kLinears)
      if (!weight_of(layer, linear.name).identity()) return true;
  return false;
}

int64_t widest_input(const ModelConfig& model) {
  int64_t widest = 0;
  for (const LinearSpec& linear : kLinears)
    widest = std::max(widest, input_size(model, linear.input));
  return widest;
}

void WeightMethod::check(const ModelConfig& model) const {
  if (kv_.learns() && !learns_channels())
    config_error(
        "method.kv: channel: 'learned' needs a method that trains (wkvquant, omniquant); expected "
        "none or static");
  if (kv_.fits_rotation() && trains())
    config_error(
        "method.kv: rotate: queries and own are fitted once, this method trains through the cache; "
        "expected none, hadamard or signed");
  if (!quantizes_weights(model)) return;
  for (const int64_t inputs :
       {model.hidden_size, model.heads * model.head_dim, model.intermediate_size})
    if (weight_.group_size > inputs)
      config_error(
          "method.weight: group_size {} does not fit the {} inputs of a linear; expected at most "
          "that, or -1",
          weight_.group_size, inputs);
}

int64_t WeightMethod::wanted_tokens(const ModelConfig&) const {
  // What codebooks are fitted to; a channel's range needs no more.
  return kv_.needs_statistics() ? kCodebookTokens : 0;
}

std::vector<std::string> WeightMethod::warnings(const ModelConfig& model,
                                                int64_t calibration_tokens) const {
  std::vector<std::string> warnings;
  if (const int64_t wanted = wanted_tokens(model); calibration_tokens < wanted)
    warnings.push_back(fmt::format(
        "calibration: {} tokens of text, the widest linear has {} inputs; these options want {} "
        "tokens or more, or they may do worse than no calibration (docs/methods.md)",
        calibration_tokens, widest_input(model), wanted));
  const auto uneven = [&](const std::string& who, int64_t group, int64_t width, const char* what) {
    if (group > 0 && width % group != 0)
      warnings.push_back(
          fmt::format("{}: group_size {} does not divide {} {}; the last group has {}", who, group,
                      width, what, width % group));
  };
  if (quantizes_weights(model))
    for (const int64_t inputs : std::set<int64_t>{model.hidden_size, model.heads * model.head_dim,
                                                  model.intermediate_size})
      uneven("method.weight", weight_.group_size, inputs, "inputs of a linear");
  for (const auto& [name, side] : {std::pair{"keys", &kv_.key}, std::pair{"values", &kv_.value}}) {
    if (side->identity() || side->axis == KvAxis::kTime) continue;
    const int64_t heads = side->group_scope == GroupScope::kToken ? model.kv_heads : 1;
    uneven(fmt::format("method.kv, {}", name), side->group_size, heads * model.head_dim,
           "channels");
  }
  return warnings;
}

void WeightMethod::check_packable(const ModelConfig& model) const {
  for (int64_t layer = 0; layer < model.layers; ++layer)
    for (const LinearSpec& linear : kLinears) {
      const QuantSpec spec = weight_of(layer, linear.name);
      if (!spec.identity()) wkvq::check_packable(spec, input_size(model, linear.input));
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

void WeightMethod::rewrite(BlockContext& context, Recorder& recorder) {
  const BlockWeights full = context.block.weights;
  transform(context, recorder);
  const BlockWeights exact = context.block.weights;
  const bool rounds = std::ranges::any_of(kLinears, [&](const LinearSpec& linear) {
    return !weight_of(context.layer, linear.name).identity();
  });
  if (!rounds) return;
  rounded_to_nearest_ = false;
  round(context, recorder);
  record_output_errors(context, recorder, {full, exact, spec_of(context), rounded_to_nearest_});
}

void WeightMethod::calibrate(BlockContext& context, Recorder& recorder) {
  rewrite(context, recorder);
  BlockWeights& weights = context.block.weights;
  std::map<std::string, at::Tensor> largest;
  if (activation_.needs_statistics())
    largest = largest_inputs(context, weights, context.inputs_quantized());
  weights.visit_linears([&](const char* name, Linear& linear) {
    if (largest.contains(name))
      require_finite(largest[name], fmt::format("inputs of block_{:02}/{}", context.layer, name));
    const double top = largest.contains(name) ? largest[name].max().item<double>() : 0;
    linear.input = ActivationQuantizer(activation_, top);
  });
  const KvOptions kv = kv_of(context.layer, context.model);
  KvRanges ranges;
  if (kv.needs_statistics()) ranges = collect_kv_ranges(context, kv);
  KvChannels channels{static_channels(kv.key, ranges.key), static_channels(kv.value, ranges.value)};
  const FittedRotations rotations = fit_rotations(context, kv);
  channels.key.rotation = rotations.key;
  channels.value.rotation = rotations.value;
  KvGrids grids;
  if (kv.fits_grid()) grids = fit_kv_grids(context, kv, channels);
  record_kv_grids(recorder, context.layer, grids);
  context.block.codec = {{kv.key, channels.key, grids.key},
                         {kv.value, channels.value, grids.value}};
}

std::function<QuantSpec(const std::string&)> WeightMethod::spec_of(
    const BlockContext& context) const {
  return
      [this, layer = context.layer](const std::string& linear) { return weight_of(layer, linear); };
}

void WeightMethod::round(BlockContext& context, Recorder& recorder) {
  rounded_to_nearest_ = true;
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
