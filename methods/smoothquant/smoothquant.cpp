#include "methods/smoothquant/smoothquant.h"

#include <fmt/format.h>

#include "core/torch_headers.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

// The reference's floors of weight maxima and scales (smoothquant c61476d).
constexpr double kSmallest = 1e-5;

at::Tensor widened(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

/// Largest weight of every channel over rows, linears and, where heads share it, inputs.
at::Tensor largest_weights(const ScalingSite& site) {
  at::Tensor largest;
  for (const Linear* linear : site.linears) {
    const at::Tensor columns = widened(linear->weight).abs().amax(0);
    largest = largest.defined() ? at::maximum(largest, columns) : columns;
  }
  return site.by_channel(largest).amax(1).flatten().clamp_min(kSmallest);
}

}  // namespace

std::string SmoothQuant::summary() const {
  return "SmoothQuant: activation ranges migrate into the weights, then round to nearest";
}

void SmoothQuant::Sites::visit(OptionVisitor& v) {
  v("input_norm", input_norm, "in front of q, k and v");
  v("post_norm", post_norm, "in front of gate and up");
  v("value_output", value_output, "from v to o; query heads of a kv head share its scales");
  v("up_down", up_down, "from up to down");
}

std::vector<Site> SmoothQuant::Sites::chosen() const {
  std::vector<Site> sites;
  // These two divide rows of v_proj and up_proj, whose columns the norms' scales then look at.
  if (value_output) sites.push_back(Site::kValueOutput);
  if (up_down) sites.push_back(Site::kUpDown);
  if (input_norm) sites.push_back(Site::kInputNorm);
  if (post_norm) sites.push_back(Site::kPostNorm);
  return sites;
}

void SmoothQuant::visit_own(OptionVisitor& v) {
  v("alpha", alpha_, "0: all the range to the activations, 1: all to the weights");
  v("sites", sites_, "where scales move");
  if (!(alpha_ >= 0 && alpha_ <= 1)) v.reject("alpha", fmt::format("{}; expected 0 to 1", alpha_));
}

void SmoothQuant::transform(BlockContext& context, Recorder& recorder) {
  BlockWeights& weights = context.block.weights;
  std::map<std::string, at::Tensor> largest_input;
  observe_inputs(context, weights, context.inputs_full(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   at::Tensor& largest = largest_input[linear];
                   const at::Tensor here = widened(x).abs().amax(0);
                   largest = largest.defined() ? at::maximum(largest, here) : here;
                 });
  for (const Site which : sites_.chosen()) {
    const ScalingSite site = scaling_site(which, context.model, weights);
    const at::Tensor inputs = site.by_channel(largest_input.at(site.input)).amax(1).flatten();
    const at::Tensor scale =
        (inputs.pow(alpha_) / largest_weights(site).pow(1 - alpha_)).clamp_min(kSmallest);
    const at::Tensor alive = at::where(inputs > 0, scale, at::ones_like(scale));
    record_scale(recorder, context.layer, site, alive);
    site.apply(alive);
  }
}

}  // namespace wkvq
