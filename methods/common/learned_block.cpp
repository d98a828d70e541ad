#include "methods/common/learned_block.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"
#include "core/number/weight_codes.h"
#include "methods/common/clip_start.h"
#include "methods/common/observe.h"
#include "methods/common/scaling_site.h"

namespace wkvq {

namespace {

/// One value a kv head to one a query head, both [heads, n].
at::Tensor for_queries(const at::Tensor& x, const ModelConfig& model) {
  return x.repeat_interleave(model.heads / model.kv_heads, 0);
}

Linear scale_rows(const Linear& linear, const at::Tensor& factor) {
  Linear scaled = linear;
  scaled.weight = (linear.weight * factor.unsqueeze(1)).to(linear.weight.scalar_type());
  if (linear.bias.defined()) scaled.bias = (linear.bias * factor).to(linear.bias.scalar_type());
  return scaled;
}

// Where a scale is learned in front of linears.
constexpr std::array kSites{Site::kInputNorm, Site::kPostNorm, Site::kValueOutput};

}  // namespace

LearnedBlock::LearnedBlock(const BlockContext& context, const LearnedOptions& options)
    : layer_(context.layer),
      model_(context.model),
      options_(options),
      original_(context.block.weights) {
  const at::NoGradGuard no_grad;
  if (options.learn.clip && !options.weight.identity()) add_clipping(context);
  if (options.learn.transform) add_transform(context);
  if (!options.kv.needs_statistics()) return;
  const KvRanges ranges = collect_kv_ranges(context, options.kv);
  if (options.kv.key.needs_statistics()) add_channels("key", options.kv.key, ranges.key);
  if (options.kv.value.needs_statistics()) add_channels("value", options.kv.value, ranges.value);
  fit_grids(context);
}

void LearnedBlock::add(const std::string& name, const at::Tensor& value, double rate) {
  // Parameters are float32 at least: steps of a half type would be lost in rounding.
  const at::ScalarType type = value.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  parameters_[name] = value.detach().to(type, false, /*copy=*/true).contiguous();
  parameters_[name].set_requires_grad(true);
  rates_[name] = rate;
}

void LearnedBlock::add_clipping(const BlockContext& context) {
  for (const auto& [name, ratio] :
       clip_start(context, original_, options_.weight, options_.learn.clip_start)) {
    add(name + ".high", ratio.logit(), options_.training.clip_rate);
    add(name + ".low", ratio.logit(), options_.training.clip_rate);
  }
}

void LearnedBlock::add_transform(const BlockContext& context) {
  const auto largest = largest_inputs(context, original_, context.inputs_quantized());
  const double rate = options_.training.transform_rate;
  for (const Site which : kSites) {
    const ScalingSite site = scaling_site(which, model_, original_);
    const at::Tensor scale =
        smoothing_scale(largest.at(site.input), largest_weights(site), options_.learn.alpha);
    // Inputs that share a channel get the geometric mean of what each would ask for.
    add(site.name + ".log_scale", site.by_channel(scale.log()).mean(1).flatten(), rate);
  }
  // Norms of queries and keys share one weight over all heads and would undo a scale of theirs.
  if (!model_.qk_norm)
    add("query_key.log_scale",
        at::zeros({model_.kv_heads, model_.head_dim / 2}, original_.key.weight.options()), rate);
}

void LearnedBlock::add_channels(const std::string& side, const KvTensorOptions& options,
                                const ChannelRange& range) {
  const ChannelTransform initial = static_channels(options, range);
  const double rate = options_.training.channel_rate;
  if (options.channel.scale == ChannelMode::kLearned) {
    at::Tensor scale = initial.scale.log();
    if (options.ties_pairs()) scale = scale.narrow(1, 0, model_.head_dim / 2);
    add(side + ".log_scale", scale, rate);
  }
  if (options.channel.shift == ChannelMode::kLearned) {
    // Shifts have the unit of the values: their rate is relative to the typical half range.
    const at::Tensor half = (range.highest - range.lowest) / 2;
    add(side + ".shift", initial.shift, rate * half.median().item<double>());
  }
  fixed_[side] = initial;
}

std::vector<TrainableBlock::Group> LearnedBlock::groups() const {
  std::vector<Group> groups;
  for (const auto& [name, value] : parameters_) groups.push_back({{value}, rates_.at(name)});
  return groups;
}

BlockWeights LearnedBlock::transformed() const {
  BlockWeights w = original_;
  if (!options_.learn.transform) return w;
  for (const Site which : kSites) {
    const ScalingSite site = scaling_site(which, model_, w);
    site.apply(parameters_.at(site.name + ".log_scale").exp());
  }
  if (!has("query_key.log_scale")) return w;
  const at::Tensor pair = parameters_.at("query_key.log_scale").exp();
  const at::Tensor both = over_pairs(pair);
  w.query = scale_rows(w.query, for_queries(both, model_).flatten().reciprocal());
  w.key = scale_rows(w.key, both.flatten());
  return w;
}

ChannelTransform LearnedBlock::channels(const std::string& side,
                                        const KvTensorOptions& options) const {
  const auto found = fixed_.find(side);
  if (found == fixed_.end()) return {};
  ChannelTransform channels = found->second;
  if (options.channel.shift == ChannelMode::kLearned)
    channels.shift = parameters_.at(side + ".shift");
  if (options.channel.scale == ChannelMode::kLearned)
    channels.scale = parameters_.at(side + ".log_scale").exp();
  if (channels.scale.defined() && channels.scale.size(1) < model_.head_dim)
    channels.scale = over_pairs(channels.scale);
  return channels;
}

void LearnedBlock::fit_grids(const BlockContext& context) {
  if (!options_.kv.fits_grid()) return;
  grids_ = fit_kv_grids(context, options_.kv,
                        {channels("key", options_.kv.key), channels("value", options_.kv.value)});
}

QuantizedBlock LearnedBlock::build(bool keep_codes) const {
  QuantizedBlock block{transformed(), {}};
  block.weights.visit_linears([&](const char* name, Linear& linear) {
    const std::string prefix = name;
    ClipRatios clip;
    if (has(prefix + ".high"))
      clip = {parameters_.at(prefix + ".high").sigmoid(),
              parameters_.at(prefix + ".low").sigmoid()};
    const RoundedWeight rounded = round_weight(linear.weight, options_.weight, keep_codes, clip);
    linear.weight = rounded.weight;
    linear.codes = rounded.codes;
    linear.input = ActivationQuantizer(options_.activation, 0);
  });
  block.codec = codec();
  return block;
}

KvCodec LearnedBlock::codec() const {
  return {{options_.kv.key, channels("key", options_.kv.key), grids_.key},
          {options_.kv.value, channels("value", options_.kv.value), grids_.value}};
}

void LearnedBlock::assign(const LearnedParameters& stored) {
  const at::NoGradGuard no_grad;
  for (auto& [name, value] : parameters_) {
    const auto found = stored.find(name);
    if (found == stored.end() || found->second.sizes() != value.sizes())
      config_error(
          "stored parameters: '{}' is missing or has another shape than this "
          "configuration learns",
          name);
    const std::string what = fmt::format("stored parameters of block_{:02}/{}", layer_, name);
    require_finite(found->second, what);
    value.copy_(found->second);
    if (name.ends_with(".log_scale")) require_positive(value.exp(), what + ", the scale");
    if (name.ends_with(".high") || name.ends_with(".low"))
      require_positive(value.sigmoid(), what + ", the clip ratio");
  }
}

}  // namespace wkvq
