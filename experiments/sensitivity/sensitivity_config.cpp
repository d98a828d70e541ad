#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/options/options_text.h"
#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_path.h"
#include "core/base/yaml/yaml_text.h"
#include "core/number/format_names.h"
#include "core/number/quant_spec.h"
#include "experiments/score/cost.h"
#include "experiments/score/evaluation.h"
#include "experiments/sensitivity/sensitivity.h"

namespace wkvq {

namespace {

constexpr const char* kSection = "sensitivity";

void set(YamlNode& config, const std::string& path, const std::string& value) {
  assign(config, {YamlNode::scalar(path, false), YamlNode::scalar(value, false)});
}

/// The options at `path` in `format`, whose form, block and type of scale take the place of those
/// of whole numbers.
void set_format(YamlNode& config, const std::string& path, const std::string& format) {
  const NumberFormat& row = number_format(format_named(format));
  set(config, path + ".format", format);
  set(config, path + ".form", quant_form_names()[static_cast<size_t>(row.form)]);
  if (path == "method.weight") set(config, path + ".range", "zero_included");
  if (row.block > 0) set(config, path + ".group_size", std::to_string(row.block));
  if (row.scale_bits >= 0) set(config, path + ".scale_dtype", "compute");
}

/// `config` with `part` at `bits`, or in `format` where it is named, and all else at 16.
RunConfig only_part(YamlNode config, const std::string& part, int64_t bits,
                    const std::string& format) {
  set(config, "method.activation.bits", "16");
  for (const auto& [path, name] : {std::pair{"method.weight", "weights"},
                                   {"method.kv.key", "keys"},
                                   {"method.kv.value", "values"}}) {
    if (part == name && !format.empty())
      set_format(config, path, format);
    else
      set(config, fmt::format("{}.bits", path), std::to_string(part == name ? bits : 16));
  }
  return read_run_config(config);
}

SensitivityOptions take_section(YamlNode& config) {
  SensitivityOptions options;
  const auto found = std::ranges::find_if(
      config.entries, [](const YamlEntry& entry) { return entry.key.text == kSection; });
  if (found == config.entries.end()) return options;
  read_options(found->value, kSection, options);
  config.entries.erase(found);
  return options;
}

void require_perplexity(const RunConfig& run, const YamlNode& node) {
  const EvaluationEntry& entry = run.evaluations.front();
  if (run.evaluations.size() != 1 || entry.task_name != "perplexity")
    config_error(
        "{}: evaluate: a sensitivity is measured on one text; expected one entry, of task "
        "perplexity",
        node.where());
  if (entry.engine != Engine::kOnePass)
    config_error("{}: evaluate.0.engine: expected one_pass for a sensitivity", node.where());
  if (run.calibration && !run.calibration->from.empty())
    config_error("{}: calibration.from: parameters of a whole model do not fit single blocks",
                 node.where());
}

}  // namespace

void ProbedFormat::visit(OptionVisitor& v) {
  v("format", format, "a number format; wkvq list formats");
  if (v.purpose() == OptionVisitor::Purpose::kRead && format_named(format) == FormatId::kInteger)
    v.reject("format", fmt::format("{}, which is whole numbers; expected it under bits", format));
}

void SensitivityOptions::visit(OptionVisitor& v) {
  v("bits", bits, "tried for every part of every block, 2 to 8");
  // Written only where it says something: ids of runs from before it stay.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || !formats.empty())
    v("formats", formats, "tried beside them: [{format: mxfp4}]");
  v("weights", weights, "probe the seven linears of each block");
  v("keys", keys, "probe the keys of each block");
  v("values", values, "probe the values of each block");
  if (bits.empty() && formats.empty())
    v.reject("bits", "expected at least one number of bits, or formats");
  std::set<std::string> names;
  for (const ProbedFormat& probed : formats)
    if (!names.insert(probed.format).second) v.reject("formats", "expected every format once");
  for (const int64_t b : bits)
    if (b < 2 || b > 8) v.reject("bits", fmt::format("{} bits; expected 2 to 8", b));
  if (std::set<int64_t>(bits.begin(), bits.end()).size() != bits.size())
    v.reject("bits", "expected every number once");
  if (!weights && !keys && !values) v.reject("", "expected one of weights, keys and values");
}

std::string SensitivityPlan::section_yaml() const {
  YamlWriter writer;
  SensitivityOptions written = options;
  writer.begin_map(kSection);
  writer.write(written);
  writer.end();
  return block_text(writer.root());
}

std::string SensitivityPlan::canonical_yaml() const {
  return run.canonical_yaml() + section_yaml();
}

std::string SensitivityPlan::identity_yaml() const {
  return run.identity_yaml() + section_yaml();
}

SensitivityPlan read_sensitivity(const YamlNode& node) {
  YamlNode config = node;
  SensitivityPlan plan;
  plan.options = take_section(config);
  plan.run = read_run_config(config);
  require_perplexity(plan.run, config);
  const auto add = [&](bool wanted, const char* part) {
    for (const int64_t bits : plan.options.bits)
      if (wanted) plan.settings.push_back({part, bits, "", only_part(config, part, bits, "")});
    for (const auto& [format] : plan.options.formats) {
      const int64_t bits = number_format(format_named(format)).bits;
      if (wanted)
        plan.settings.push_back({part, bits, format, only_part(config, part, bits, format)});
    }
  };
  add(plan.options.weights, "weights");
  add(plan.options.keys, "keys");
  add(plan.options.values, "values");
  return plan;
}

void check_sensitivity(const SensitivityPlan& plan, Session& session) {
  const ModelConfig& model = session.model(plan.run.model).checkpoint->config();
  const int64_t wide = compute_bits(plan.run);
  for (const ProbeSetting& setting : plan.settings) {
    prepare_evaluations(setting.config, session);
    for (int64_t layer = 0; layer < model.layers; ++layer) {
      const StoredBits stored = stored_bits(*setting.config.method, layer, model, wide);
      const double exact = static_cast<double>(wide);
      if ((setting.part != "weights" && stored.weight != exact) ||
          (setting.part != "keys" && stored.key != exact) ||
          (setting.part != "values" && stored.value != exact))
        config_error(
            "sensitivity: method '{}' quantizes more than the {} of block {} when only their bits "
            "are set; expected one whose options give no place bits of its own",
            setting.config.method_name, setting.part, layer);
    }
  }
}

}  // namespace wkvq
