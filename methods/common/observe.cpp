#include "methods/common/observe.h"

#include "core/attention/masked_attention.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"

namespace wkvq {

void observe_inputs(const BlockContext& context, BlockWeights weights,
                    const std::vector<at::Tensor>& inputs, const InputVisitor& visitor) {
  const at::NoGradGuard no_grad;
  weights.visit_linears([&](const char* name, Linear& linear) {
    linear.observer = [&visitor, name](const at::Tensor& x) { visitor(name, x.flatten(0, -2)); };
  });
  for (const at::Tensor& hidden : inputs)
    forward_block(context.model, context.layer, weights, context.rope, hidden, 0, plain_attention);
}

std::map<std::string, at::Tensor> largest_inputs(const BlockContext& context,
                                                 const BlockWeights& weights,
                                                 const std::vector<at::Tensor>& inputs) {
  std::map<std::string, at::Tensor> largest;
  observe_inputs(context, weights, inputs, [&](const std::string& linear, const at::Tensor& x) {
    const at::Tensor here = widened(x).abs().amax(0);
    at::Tensor& all = largest[linear];
    all = all.defined() ? at::maximum(all, here) : here;
  });
  return largest;
}

}  // namespace wkvq
