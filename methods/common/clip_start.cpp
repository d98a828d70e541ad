#include "methods/common/clip_start.h"

#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "methods/common/candidates.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

/// Sum over each group of `x` [rows, width]: [rows, groups].
at::Tensor group_sums(const at::Tensor& x, const QuantPlan& plan) {
  const int64_t groups = plan.groups_per_row(), missing = groups * plan.group - plan.width;
  return at::constant_pad_nd(x, {0, missing}).view({plan.rows, groups, plan.group}).sum(2);
}

/// A quarter of a step clipped at each end.
double whole_range(const QuantSpec& spec) {
  return 1 - 1 / (4 * static_cast<double>(spec.max_code()));
}

at::Tensor best_ratios(const at::Tensor& weight, const at::Tensor& importance,
                       const QuantSpec& spec) {
  const QuantPlan plan = make_plan(weight, spec);
  const at::Tensor wide = widened(weight).contiguous();
  at::Tensor best, least;
  const auto try_ratio = [&](double ratio) {
    const at::Tensor ratios = at::full({plan.rows, plan.groups_per_row()}, ratio, wide.options());
    const at::Tensor quantized = fake_quant_forward(wide, plan, {ratios, ratios});
    const at::Tensor cost = group_sums((quantized - wide).square_().mul_(importance), plan);
    const at::Tensor better =
        best.defined() ? cost < least * kClearlyLess : at::ones_like(cost, at::kBool);
    best = best.defined() ? at::where(better, ratios, best) : ratios;
    least = least.defined() ? at::where(better, cost, least) : cost;
  };
  try_ratio(whole_range(spec));
  for (int step = 0; step < 10; ++step) try_ratio(0.95 - 0.05 * step);
  return best;
}

}  // namespace

std::map<std::string, at::Tensor> clip_start(const BlockContext& context, BlockWeights weights,
                                             const QuantSpec& spec, ClipStart start) {
  std::map<std::string, at::Tensor> importance, ratios;
  if (start == ClipStart::kRange) {
    weights.visit_linears([&](const char* name, const Linear& linear) {
      const QuantPlan plan = make_plan(linear.weight, spec);
      ratios[name] = at::full({plan.rows, plan.groups_per_row()}, whole_range(spec),
                              widened(linear.weight).options());
    });
    return ratios;
  }
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
