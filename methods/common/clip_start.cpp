#include "methods/common/clip_start.h"

#include "core/quantizer.h"
#include "core/tensors.h"
#include "core/torch_headers.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

/// Sum over each group of `x` [rows, width]: [rows, groups].
at::Tensor group_sums(const at::Tensor& x, const QuantPlan& plan) {
  const int64_t groups = plan.groups_per_row(), missing = groups * plan.group - plan.width;
  return at::constant_pad_nd(x, {0, missing}).view({plan.rows, groups, plan.group}).sum(2);
}

at::Tensor best_ratios(const at::Tensor& weight, const at::Tensor& importance,
                       const QuantSpec& spec) {
  const QuantPlan plan = make_plan(weight, spec);
  const at::Tensor wide = widened(weight).contiguous();
  at::Tensor best, least;
  for (double ratio = 1 - 1 / (4 * static_cast<double>(spec.max_code())); ratio > 0.49;
       ratio = ratio > 0.95 ? 0.95 : ratio - 0.05) {
    const at::Tensor ratios = at::full({plan.rows, plan.groups_per_row()}, ratio, wide.options());
    const at::Tensor quantized = fake_quant_forward(wide, plan, {ratios, ratios});
    const at::Tensor cost = group_sums((quantized - wide).square_().mul_(importance), plan);
    if (!best.defined()) {
      best = ratios;
      least = cost;
      continue;
    }
    const at::Tensor better = cost < least;
    best = at::where(better, ratios, best);
    least = at::where(better, cost, least);
  }
  return best;
}

}  // namespace

std::map<std::string, at::Tensor> clip_start(const BlockContext& context, BlockWeights weights,
                                             const QuantSpec& spec) {
  std::map<std::string, at::Tensor> importance, ratios;
  // The number of tokens is the same for all inputs of a linear: sums serve as means.
  observe_inputs(context, weights, context.inputs_quantized(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   const at::Tensor squares = widened(x).square().sum(0);
                   at::Tensor& all = importance[linear];
                   all = all.defined() ? all + squares : squares;
                 });
  weights.visit_linears([&](const char* name, const Linear& linear) {
    ratios[name] = best_ratios(linear.weight, importance.at(name), spec);
  });
  return ratios;
}

}  // namespace wkvq
