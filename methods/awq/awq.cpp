#include "methods/awq/awq.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/options/option_limits.h"
#include "core/calibrate/statistics.h"
#include "core/device/torch_headers.h"
#include "methods/awq/clip_search.h"
#include "methods/awq/scale_search.h"

namespace wkvq {

std::string Awq::summary() const {
  return "AWQ: searched scales favour large inputs, searched clipping, round to nearest";
}

CalibrationNeeds Awq::calibration_needs() const {
  return weight_.identity() || !(scale_ || clip_) ? WeightMethod::calibration_needs()
                                                  : CalibrationNeeds::kBothChains;
}

void Awq::visit_own(OptionVisitor& v) {
  v("scale", scale_, "search scales");
  v("ratios", ratios_, "points of the search between 0 and 1, 1 left out");
  v("clip", clip_, "search clipping bounds, but for queries and keys");
  v("shared_value_output", shared_value_output_,
    "scale from v to o under grouped queries too: query heads of a kv head share scales");
  if (ratios_ < 1) v.reject("ratios", fmt::format("{}; expected at least 1", ratios_));
  check_at_most(v, "ratios", ratios_, 1000);
  if (clip_ && weight_.per_tensor)
    v.reject("clip", "cannot be combined with weight.per_tensor: bounds belong to groups");
}

std::vector<Site> Awq::sites(const ModelConfig& model) const {
  std::vector<Site> sites{Site::kInputNorm, Site::kPostNorm, Site::kUpDown};
  if (model.heads == model.kv_heads || shared_value_output_) sites.push_back(Site::kValueOutput);
  return sites;
}

MethodMemory Awq::calibration_memory(const ModelConfig& model, const CalibrationSize& size) const {
  MethodMemory memory = WeightMethod::calibration_memory(model, size);
  if (weight_.identity()) return memory;
  const auto values = [&](int64_t each) {
    return static_cast<double>(each) * static_cast<double>(size.batch_tokens);
  };
  const double weight = static_cast<double>(largest_block_tensor(model)) * size.element_bytes;
  // The search comes before any weight of the block is rewritten: candidates take their place. It
  // holds what enters every linear for a batch, and the error of a module's output in float64.
  const int64_t inputs =
      2 * model.hidden_size + 2 * model.heads * model.head_dim + model.intermediate_size;
  const double search =
      values(inputs) * size.element_bytes +
      static_cast<double>(size.batch_tokens) * activation_bytes(model, size.element_bytes) +
      values(model.hidden_size) * 3 * sizeof(double);
  // A weight cut into groups, clipped ones, and second moments of the inputs of every group.
  const int64_t group = weight_.group_size == -1 ? model.intermediate_size : weight_.group_size;
  const double clipping =
      3 * weight + static_cast<double>(inputs * group) * std::max(4.0, size.element_bytes);
  memory.bytes = std::max({memory.bytes, scale_ ? search : 0, clip_ ? clipping : 0});
  return memory;
}

void Awq::transform(BlockContext& context, Recorder& recorder) {
  if (weight_.identity() || !scale_) return;
  const std::vector<Site> chosen = sites(context.model);
  const std::vector<ScaleChoice> choices = search_scales(context, chosen, weight_, ratios_);
  for (size_t i = 0; i < chosen.size(); ++i) {
    const ScalingSite site = scaling_site(chosen[i], context.model, context.block.weights);
    const std::string group = calibration_group(context.layer) + "/" + site.name;
    record_scale(recorder, context.layer, site, choices[i].scale);
    recorder.attribute(group, "ratio", choices[i].ratio);
    recorder.column(group + "/search", "loss", choices[i].loss);
    site.apply(choices[i].scale);
  }
}

int64_t Awq::wanted_tokens(const ModelConfig& model) const {
  // The search of clipping looks at second moments within a group.
  constexpr int64_t kTokensPerInput = 8;
  const int64_t inputs = weight_.group_size == -1 ? widest_input(model) : weight_.group_size;
  return std::max(WeightMethod::wanted_tokens(model),
                  weight_.identity() || !clip_ ? 0 : kTokensPerInput * inputs);
}

void Awq::round(BlockContext& context, Recorder& recorder) {
  if (!clip_) return WeightMethod::round(context, recorder);
  const auto moments = group_moments(context, readers(), weight_.group_size);
  context.block.weights.visit_linears([&](const char* name, Linear& linear) {
    // Errors of queries and keys multiply in the scores: the reference leaves both unclipped.
    const auto& [_, role, input] = linear_named(name);
    const at::Tensor clipped =
        role == Role::kQuery || role == Role::kKey
            ? linear.weight
            : clip_search(linear.weight, moments.at(reader_of(input)), weight_);
    replace_weight(context, recorder, name, linear,
                   round_weight(clipped, weight_, context.keep_codes));
  });
}

}  // namespace wkvq
