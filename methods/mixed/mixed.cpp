#include "methods/mixed/mixed.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/calibrate/statistics.h"
#include "core/device/torch_headers.h"
#include "core/number/format_names.h"
#include "methods/gptq/gptq.h"
#include "methods/gptq/hessians.h"

namespace wkvq {

namespace {

std::string place_name(int64_t layer, const std::string& place) {
  return fmt::format("block_{:02}/{}", layer, place);
}

bool matches(const BitRule& rule, const std::string& name) {
  return fnmatch(rule.match.c_str(), name.c_str(), 0) == 0;
}

/// The nine places of a block.
std::vector<std::string> places_of_block() {
  std::vector<std::string> places;
  for (const LinearSpec& linear : kLinears) places.emplace_back(linear.name);
  places.emplace_back("key");
  places.emplace_back("value");
  return places;
}

/// Of weights, keys or values, whose other options are those of integers.
template <class Options>
void put_format(Options& options, const PlaceFormat& place) {
  const FormatFields fields = in_format(
      {options.format, options.form, options.scale_dtype, options.group_size}, place.format);
  options.bits = place.bits;
  options.format = fields.format;
  options.form = fields.form;
  options.scale_dtype = fields.scale_dtype;
  options.group_size = fields.group_size;
}

}  // namespace

void BitRule::visit(OptionVisitor& v) {
  v("match", match, "shell pattern over places: block_00/q_proj, block_*/key, */value");
  visit_format(v, place.bits, place.format);
  if (match.empty()) v.reject("match", "missing; expected a pattern such as 'block_*/key'");
  check_bits(v, "bits", place.bits);
}

std::string Mixed::summary() const {
  return "bits by place: rules, or picked under a budget from a wkvq sensitivity";
}

void Mixed::visit_own(OptionVisitor& v) {
  rounding_.visit(v);
  v("rules", rules_, "a list of bits by name of place; the last match wins, over the budget too");
  v("budget", budget_options_, "pick bits that minimize the sum of measured NLL increases");
  if (v.purpose() != OptionVisitor::Purpose::kRead || budget_options_.from.empty()) return;
  try {
    budget_ = BitBudget(budget_options_);
  } catch (const ConfigError& error) {
    v.reject("budget", error.what());
  }
}

PlaceFormat Mixed::format_of(int64_t layer, const std::string& place, int64_t otherwise) const {
  const std::string name = place_name(layer, place);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
    if (matches(*rule, name)) return rule->place;
  const char* part = place == "key" ? "keys" : place == "value" ? "values" : "weights";
  const BitChoice* picked = budget_.picked(layer, part);
  if (!picked) return {otherwise};
  return {picked->bits, picked->format.empty() ? FormatId::kInteger : format_named(picked->format)};
}

QuantSpec Mixed::weight_of(int64_t layer, const std::string& linear) const {
  QuantSpec spec = weight_;
  put_format(spec, format_of(layer, linear, spec.bits));
  return spec;
}

KvOptions Mixed::kv_of(int64_t layer, const ModelConfig& /*model*/) const {
  KvOptions kv = kv_;
  put_format(kv.key, format_of(layer, "key", kv.key.bits));
  put_format(kv.value, format_of(layer, "value", kv.value.bits));
  return kv;
}

CalibrationNeeds Mixed::calibration_needs() const {
  return rounding_.kind == Rounding::kNearest ? WeightMethod::calibration_needs()
                                              : CalibrationNeeds::kQuantizedChain;
}

void Mixed::check(const ModelConfig& model) const {
  WeightMethod::check(model);
  for (const auto& [name, format] : {std::pair{"method.weight", weight_.format},
                                     {"method.kv, keys", kv_.key.format},
                                     {"method.kv, values", kv_.value.format}})
    if (format != FormatId::kInteger)
      config_error("{}: format {} beside bits by place; expected it in rules, over plain bits",
                   name, number_format(format).name);
  if (!kv_.exact_layers.empty())
    config_error(
        "method.kv.exact_layers: beside rules; expected a rule such as {{match: block_00/key, "
        "bits: 16}}");
  for (const BitRule& rule : rules_) {
    bool found = false;
    for (int64_t layer = 0; layer < model.layers; ++layer)
      for (const std::string& place : places_of_block())
        found |= matches(rule, place_name(layer, place));
    if (!found)
      config_error(
          "method.rules: '{}' matches no place of the model; expected a pattern over {} ... {}, "
          "such as {} or block_*/value",
          rule.match, place_name(0, kLinears.front().name),
          place_name(model.layers - 1, kLinears.back().name), place_name(0, "key"));
  }
}

void Mixed::check_packable(const ModelConfig& model) const {
  WeightMethod::check_packable(model);
  if (rounding_.kind == Rounding::kGptq) check_group_order(rounding_.solver, weight_);
}

std::vector<std::string> Mixed::input_identities(const std::string& model_fingerprint) const {
  budget_.require_model(model_fingerprint);
  return budget_.run_id().empty() ? std::vector<std::string>{}
                                  : std::vector<std::string>{budget_.run_id()};
}

void Mixed::calibrate(BlockContext& context, Recorder& recorder) {
  WeightMethod::calibrate(context, recorder);
  if (context.layer != 0) return;
  std::vector<std::string> names, formats;
  std::vector<int64_t> bits;
  for (int64_t layer = 0; layer < context.model.layers; ++layer) {
    const KvOptions kv = kv_of(layer, context.model);
    for (const std::string& place : places_of_block()) {
      const QuantSpec weight =
          place == "key" || place == "value" ? QuantSpec{} : weight_of(layer, place);
      const bool key = place == "key", value = place == "value";
      names.push_back(place_name(layer, place));
      bits.push_back(key ? kv.key.bits : value ? kv.value.bits : weight.bits);
      formats.emplace_back(number_format(key     ? kv.key.format
                                         : value ? kv.value.format
                                                 : weight.format)
                               .name);
    }
  }
  recorder.column("/calibration/bits", "place", names);
  recorder.column("/calibration/bits", "bits", bits);
  if (std::ranges::any_of(
          rules_, [](const BitRule& rule) { return rule.place.format != FormatId::kInteger; }))
    recorder.column("/calibration/bits", "format", formats);
  budget_.record(recorder);
}

int64_t Mixed::wanted_tokens(const ModelConfig& model) const {
  const bool gptq = rounding_.kind == Rounding::kGptq && quantizes_weights(model);
  return std::max(WeightMethod::wanted_tokens(model), gptq ? gptq_tokens(model) : 0);
}

MethodMemory Mixed::calibration_memory(const ModelConfig& model,
                                       const CalibrationSize& size) const {
  MethodMemory memory = WeightMethod::calibration_memory(model, size);
  if (rounding_.kind == Rounding::kGptq)
    memory.bytes = std::max(memory.bytes, gptq_bytes(model, size, {rounding_.true_sequential}));
  return memory;
}

void Mixed::round(BlockContext& context, Recorder& recorder) {
  if (rounding_.kind == Rounding::kNearest) return WeightMethod::round(context, recorder);
  visit_with_hessians(
      context, {rounding_.true_sequential},
      [&](const char* name, Linear& linear, const InputMoments& moments) {
        const QuantSpec spec = weight_of(context.layer, name);
        if (spec.identity()) return;
        const GptqResult result =
            gptq_solve(linear.weight, moments, spec, rounding_.solver, context.keep_codes);
        replace_weight(context, recorder, name, linear, {result.weight, result.codes});
        record_gptq(recorder, context.layer, name, result);
      });
}

}  // namespace wkvq
