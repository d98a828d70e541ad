#include "methods/gptq/gptq.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/calibrate/statistics.h"
#include "core/device/torch_headers.h"
#include "methods/gptq/hessians.h"

namespace wkvq {

std::string Gptq::summary() const {
  return "GPTQ: weights rounded column by column, later columns make up for the error";
}

void Gptq::visit_own(OptionVisitor& v) {
  solver_.visit(v);
  v("true_sequential", true_sequential_, "later linears of a block see earlier ones quantized");
  // Written only where it says something: ids of runs from before it stay.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || gptaq_ != 0)
    v("gptaq", gptaq_,
      "GPTAQ: share of the inputs' own error that weights make up for, published 0.25; 0: GPTQ");
  if (!(gptaq_ >= 0 && gptaq_ <= 1)) v.reject("gptaq", fmt::format("{}; expected 0 to 1", gptaq_));
}

CalibrationNeeds Gptq::calibration_needs() const {
  if (weight_.identity()) return WeightMethod::calibration_needs();
  return gptaq_ > 0 ? CalibrationNeeds::kBothChains : CalibrationNeeds::kQuantizedChain;
}

int64_t Gptq::wanted_tokens(const ModelConfig& model) const {
  return std::max(WeightMethod::wanted_tokens(model), weight_.identity() ? 0 : gptq_tokens(model));
}

int64_t gptq_tokens(const ModelConfig& model) {
  constexpr int64_t kTokensPerInput = 8;
  return kTokensPerInput * widest_input(model);
}

MethodMemory Gptq::calibration_memory(const ModelConfig& model, const CalibrationSize& size) const {
  MethodMemory memory = WeightMethod::calibration_memory(model, size);
  if (!weight_.identity())
    memory.bytes = std::max(memory.bytes, gptq_bytes(model, size, {true_sequential_, gptaq_}));
  return memory;
}

void Gptq::round(BlockContext& context, Recorder& recorder) {
  visit_with_hessians(
      context, {true_sequential_, gptaq_},
      [&](const char* name, Linear& linear, const InputMoments& moments) {
        const GptqResult result =
            gptq_solve(linear.weight, moments, weight_, solver_, context.keep_codes);
        replace_weight(context, recorder, name, linear, {result.weight, result.codes});
        record_gptq(recorder, context.layer, name, result);
      });
}

void Gptq::check_packable(const ModelConfig& model) const {
  WeightMethod::check_packable(model);
  check_group_order(solver_, weight_);
}

void check_group_order(const GptqOptions& options, const QuantSpec& spec) {
  if (permutes_groups(options, spec))
    config_error(
        "packed weight: act_order cuts groups from permuted columns; expected static_groups: true, "
        "or group_size: -1");
}

void record_gptq(Recorder& recorder, int64_t layer, const std::string& linear,
                 const GptqResult& result) {
  const std::string group = calibration_group(layer) + "/" + linear;
  recorder.attribute(group, "damping", result.damping);
  recorder.attribute(group, "dead_columns", result.dead_columns);
}

}  // namespace wkvq
