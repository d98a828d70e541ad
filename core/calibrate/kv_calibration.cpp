#include "core/calibrate/kv_calibration.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/calibrate/kv_gradients.h"
#include "core/calibrate/statistics.h"
#include "core/calibrate/token_sample.h"
#include "core/device/finite.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/number/codebook.h"

namespace wkvq {

namespace {

AttentionInputs inputs_of(const BlockContext& context, const at::Tensor& hidden) {
  return attention_inputs(context.model, context.block.weights, context.rope, hidden, 0);
}

at::Tensor key_of(const AttentionInputs& in, const KvTensorOptions& options) {
  return options.before_rope() ? in.key_before_rope : in.key;
}

/// The sampled tokens that the view does not keep exact.
at::Tensor beyond_sinks(const TokenSample& sample, const KvOptions& options) {
  const at::Tensor kept = (sample.positions() >= options.view.sinks).nonzero().squeeze(1);
  if (kept.numel() == 0)
    config_error(
        "method.kv: every token of the calibration windows is among the view's {} sinks; expected "
        "longer windows",
        options.view.sinks);
  return kept;
}

/// Fits the grid of keys or values.
class GridFit {
 public:
  GridFit(const BlockContext& context, const KvOptions& options, bool is_key)
      : context_(context),
        options_(options),
        is_key_(is_key),
        side_(is_key ? options.key : options.value) {}

  GridConstants fit(const ChannelTransform& channels) const {
    GridConstants constants;
    if (side_.identity()) return constants;
    if (side_.range == KvRange::kStatic) fit_range(channels, constants);
    if (side_.grid == KvGrid::kNuq) fit_levels(channels, constants);
    require_finite(constants.low, what("lowest values"));
    require_finite(constants.high, what("highest values"));
    require_finite(constants.codebook, what("codebook"));
    require_finite(constants.read_codebook, what("codebook as read"));
    return constants;
  }

 private:
  std::string what(const char* part) const {
    return fmt::format("{} of block_{:02}/{}", part, context_.layer, is_key_ ? "key" : "value");
  }

  /// Sampled tokens, [tokens, kv_heads, 1, head_dim].
  at::Tensor sampled(int64_t limit) const {
    const std::vector<at::Tensor>& hidden = context_.inputs_quantized();
    const TokenSample sample(hidden, limit);
    std::vector<at::Tensor> tokens;
    for (size_t i = 0; i < hidden.size(); ++i) {
      const AttentionInputs in = inputs_of(context_, hidden[i]);
      tokens.push_back(sample.take(i, is_key_ ? key_of(in, side_) : in.value));
    }
    const at::Tensor all = at::cat(tokens);
    return all.index_select(0, beyond_sinks(sample, options_).to(all.device())).unsqueeze(2);
  }

  void fit_range(const ChannelTransform& channels, GridConstants& constants) const {
    const at::Tensor tokens =
        KvTensorCodec(side_, channels).transformed(sampled(kRangeTokens)).squeeze(2);
    const OutlierEdges range = outlier_edges(tokens.permute({1, 2, 0}), side_.outliers);
    constants.low = shared(range.low.squeeze(-1), /*least=*/true);
    constants.high = shared(range.high.squeeze(-1), /*least=*/false);
    if (!number_format(side_.format).whole_numbers()) {
      constants.high = at::maximum(constants.high, -constants.low);
      constants.low = -constants.high;
    }
    const at::Tensor beyond = (tokens < constants.low) | (tokens > constants.high);
    constants.outlier_share = beyond.to(at::kDouble).mean().item<double>();
  }

  /// Ends of ranges [kv_heads, head_dim] at the granularity asked for.
  at::Tensor shared(const at::Tensor& ends, bool least) const {
    if (side_.granularity == StaticGranularity::kChannel) return ends;
    const bool head = side_.granularity == StaticGranularity::kHead;
    const std::vector<int64_t> over = head ? std::vector<int64_t>{1} : std::vector<int64_t>{0, 1};
    return least ? ends.amin(over, /*keepdim=*/true) : ends.amax(over, /*keepdim=*/true);
  }

  void fit_levels(const ChannelTransform& channels, GridConstants& constants) const {
    const auto [levels, outliers] =
        KvTensorCodec(side_, channels, constants).normalized(sampled(kCodebookTokens));
    at::Tensor x = levels.flatten(), weights = fisher();
    require_finite(weights, what("squared gradients"));
    if (outliers.defined()) {
      const at::Tensor inside = outliers.flatten().logical_not();
      x = x.masked_select(inside);
      if (weights.defined()) weights = weights.masked_select(inside);
    }
    constants.codebook = fit_codebook(x, weights, int64_t{1} << side_.bits);
    if (side_.q_norm) constants.read_codebook = q_norm(constants.codebook, x);
  }

  /// Of the tokens of sampled(kCodebookTokens), flat; undefined without.
  at::Tensor fisher() const {
    if (!side_.needs_fisher()) return {};
    const KeyPoint point = is_key_ ? side_.rope : KeyPoint::kAfterRope;
    const KvGradients& all =
        context_.full->gradients(point).at(static_cast<size_t>(context_.layer));
    const TokenSample sample(context_.inputs_quantized(), kCodebookTokens);
    return (is_key_ ? all.key : all.value)
        .index_select(0, beyond_sinks(sample, options_).to(all.key.device()))
        .flatten();
  }

  const BlockContext& context_;
  const KvOptions& options_;
  bool is_key_;
  const KvTensorOptions& side_;
};

}  // namespace

KvRanges collect_kv_ranges(const BlockContext& context, const KvOptions& options) {
  KvRanges ranges;
  const at::NoGradGuard no_grad;
  for (const at::Tensor& hidden : context.inputs_quantized()) {
    const AttentionInputs in = inputs_of(context, hidden);
    ranges.key.add(key_of(in, options.key));
    ranges.value.add(in.value);
  }
  return ranges;
}

KvGrids fit_kv_grids(const BlockContext& context, const KvOptions& options,
                     const KvChannels& channels) {
  const at::NoGradGuard no_grad;
  return {GridFit(context, options, true).fit(channels.key),
          GridFit(context, options, false).fit(channels.value)};
}

void record_kv_grids(Recorder& recorder, int64_t layer, const KvGrids& grids) {
  for (const auto& [name, constants] :
       {std::pair{"/key", &grids.key}, std::pair{"/value", &grids.value}}) {
    const std::string group = calibration_group(layer) + name;
    if (constants->low.defined()) {
      recorder.array(group, "low", to_array(constants->low));
      recorder.array(group, "high", to_array(constants->high));
      recorder.attribute(group, "outlier_share", constants->outlier_share);
    }
    if (constants->codebook.defined())
      recorder.array(group, "codebook", to_array(constants->codebook));
    if (constants->read_codebook.defined())
      recorder.array(group, "read_codebook", to_array(constants->read_codebook));
  }
}

}  // namespace wkvq
