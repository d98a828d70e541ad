#include "methods/awq/scale_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/attention/masked_attention.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"
#include "core/model/fused_ops.h"
#include "core/number/quantizer.h"
#include "methods/common/candidates.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

// The reference's floor of a scale before normalization (llm-awq d6e797a).
constexpr double kSmallestScale = 1e-4;

/// Sum and number of |x| of the inputs of every linear.
struct InputMeans {
  std::map<std::string, at::Tensor> sum;
  std::map<std::string, int64_t> tokens;

  at::Tensor mean(const std::string& linear) const { return sum.at(linear) / tokens.at(linear); }
};

InputMeans input_means(const BlockContext& context) {
  InputMeans means;
  observe_inputs(context, context.block.weights, context.inputs_full(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   const at::Tensor here = x.abs().sum(
                       0, false, x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
                   at::Tensor& sum = means.sum[linear];
                   sum = sum.defined() ? sum + here : here;
                   means.tokens[linear] += x.size(0);
                 });
  return means;
}

/// One batch on its way through the block: what enters it, and what enters each linear, [tokens,
/// in].
struct Batch {
  at::Tensor hidden;
  std::map<std::string, at::Tensor> inputs;
};

/// The output that a site is judged by, from `weights` and the full-precision inputs.
at::Tensor module_output(Site site, const BlockContext& context, const BlockWeights& weights,
                         const Batch& batch) {
  switch (site) {
    case Site::kInputNorm: {
      AttentionInputs in = attention_inputs(context.model, weights, context.rope, batch.hidden, 0);
      const at::Tensor heads =
          full_attention(in.query, in.key, in.value, context.model.window_of(context.layer));
      return weights.output(heads.transpose(1, 2).flatten(2));
    }
    case Site::kPostNorm: {
      const at::Tensor& x = batch.inputs.at(reader_of(LinearInput::kMlp));
      return weights.down(silu_times(weights.gate(x), weights.up(x)));
    }
    case Site::kValueOutput:
      return weights.output(batch.inputs.at(reader_of(LinearInput::kHeads)));
    case Site::kUpDown:
      break;
  }
  return weights.down(batch.inputs.at(reader_of(LinearInput::kInner)));
}

/// The block with Q(W s) / s at one site: what scaling, quantizing and dividing the input would
/// give.
BlockWeights candidate(Site which, const BlockContext& context, const at::Tensor& s,
                       const QuantSpec& spec) {
  BlockWeights weights = context.block.weights;
  const ScalingSite site = scaling_site(which, context.model, weights);
  const at::Tensor columns = site.to_inputs(s);
  for (Linear* linear : site.linears)
    linear->weight =
        (fake_quantize(linear->weight * columns, spec) / columns).to(linear->weight.scalar_type());
  return weights;
}

}  // namespace

at::Tensor awq_scale(const at::Tensor& mean, double ratio) {
  const at::Tensor used = mean > 0;
  if (!used.any().item<bool>()) return at::ones_like(mean);
  const at::Tensor s = mean.pow(ratio).clamp_min(kSmallestScale);
  const at::Tensor alive = s.masked_select(used);
  return at::where(used, s / (alive.max() * alive.min()).sqrt(), at::ones_like(s));
}

std::vector<ScaleChoice> search_scales(const BlockContext& context, const std::vector<Site>& sites,
                                       const QuantSpec& spec, int64_t ratios) {
  const at::NoGradGuard no_grad;
  const InputMeans means = input_means(context);
  BlockWeights original = context.block.weights;
  std::vector<at::Tensor> mean;  // by site, [channels]
  std::vector<ScaleChoice> choices(sites.size());
  for (size_t i = 0; i < sites.size(); ++i) {
    const ScalingSite site = scaling_site(sites[i], context.model, original);
    mean.push_back(site.by_channel(means.mean(site.input)).mean(1).flatten());
    choices[i].loss.resize(static_cast<size_t>(ratios));
  }
  const auto ratio_of = [&](size_t step) {
    return static_cast<double>(step) / static_cast<double>(ratios);
  };
  double outputs = 0;
  for (const at::Tensor& hidden : context.inputs_full()) {
    Batch batch{hidden, {}};
    observe_inputs(
        context, original, {hidden},
        [&](const std::string& linear, const at::Tensor& x) { batch.inputs[linear] = x; });
    for (size_t i = 0; i < sites.size(); ++i) {
      const at::Tensor exact = module_output(sites[i], context, original, batch);
      for (size_t step = 0; step < choices[i].loss.size(); ++step) {
        const at::Tensor s = awq_scale(mean[i], ratio_of(step));
        const BlockWeights weights = candidate(sites[i], context, s, spec);
        const at::Tensor error = module_output(sites[i], context, weights, batch) - exact;
        choices[i].loss[step] += error.to(at::kDouble).square().sum().item<double>();
      }
    }
    outputs += static_cast<double>(hidden.numel());
  }
  for (size_t i = 0; i < sites.size(); ++i) {
    for (double& loss : choices[i].loss) loss /= outputs;
    size_t best = 0;
    for (size_t step = 1; step < choices[i].loss.size(); ++step)
      if (choices[i].loss[step] < choices[i].loss[best] * kClearlyLess) best = step;
    if (!std::isfinite(choices[i].loss[best]))
      throw NotFiniteError(
          fmt::format("block {}: the loss of AWQ's scale search is not finite", context.layer));
    choices[i].ratio = ratio_of(best);
    choices[i].scale = awq_scale(mean[i], choices[i].ratio);
  }
  return choices;
}

}  // namespace wkvq
