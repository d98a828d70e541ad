#include "methods/smoothquant/smoothquant.h"

#include <fmt/format.h>

#include "core/device/torch_headers.h"
#include "methods/common/observe.h"

namespace wkvq {

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
  const auto largest = largest_inputs(context, weights, context.inputs_full());
  for (const Site which : sites_.chosen()) {
    const ScalingSite site = scaling_site(which, context.model, weights);
    const auto by_channel = [&](const at::Tensor& x) {
      return site.by_channel(x).amax(1).flatten();
    };
    const at::Tensor scale = smoothing_scale(by_channel(largest.at(site.input)),
                                             by_channel(largest_weights(site)), alpha_);
    record_scale(recorder, context.layer, site, scale);
    site.apply(scale);
  }
}

}  // namespace wkvq
