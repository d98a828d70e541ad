#include "methods/awq/clip_search.h"

#include <algorithm>

#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "methods/common/candidates.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

// The reference's grid: 20 steps to 0, the first half of them tried (llm-awq d6e797a).
constexpr int64_t kSteps = 20, kTried = 10;

/// One group of all rows, [out, n]; see clip_search.
at::Tensor clip_group(const at::Tensor& group, const at::Tensor& moments, const QuantSpec& spec) {
  const at::Tensor wide = group.to(moments.scalar_type());
  const at::Tensor largest = group.abs().amax(1, /*keepdim=*/true);
  at::Tensor best, best_loss;
  for (int64_t step = 0; step < kTried; ++step) {
    const at::Tensor bound = largest * (1.0 - static_cast<double>(step) / kSteps);
    const at::Tensor clamped = at::minimum(at::maximum(group, -bound), bound);
    const at::Tensor error = fake_quantize(clamped, spec).to(moments.scalar_type()) - wide;
    // sum over tokens of (e . x)^2 = e M e^T
    const at::Tensor loss = (at::matmul(error, moments) * error).sum(1, /*keepdim=*/true);
    const at::Tensor better =
        step == 0 ? at::ones_like(loss, at::kBool) : loss < best_loss * kClearlyLess;
    best = step == 0 ? clamped : at::where(better, clamped, best);
    best_loss = step == 0 ? loss : at::where(better, loss, best_loss);
  }
  return best;
}

}  // namespace

at::Tensor clip_search(const at::Tensor& weight, const std::vector<at::Tensor>& moments,
                       const QuantSpec& spec) {
  QuantSpec one_group = of_tensor(spec, weight);
  one_group.group_size = -1;
  std::vector<at::Tensor> groups;
  int64_t first = 0;
  for (const at::Tensor& m : moments) {
    groups.push_back(clip_group(weight.narrow(1, first, m.size(0)).contiguous(), m, one_group));
    first += m.size(0);
  }
  return at::cat(groups, 1);
}

std::map<std::string, std::vector<at::Tensor>> group_moments(
    const BlockContext& context, const std::vector<std::string>& linears, int64_t group_size) {
  std::map<std::string, std::vector<at::Tensor>> moments;
  observe_inputs(context, context.block.weights, context.inputs_full(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   if (std::ranges::find(linears, linear) == linears.end()) return;
                   const at::Tensor wide = widened(x);
                   const int64_t group = group_size == -1 ? x.size(1) : group_size;
                   std::vector<at::Tensor>& sums = moments[linear];
                   for (int64_t g = 0; g * group < x.size(1); ++g) {
                     const at::Tensor part =
                         wide.narrow(1, g * group, std::min(group, x.size(1) - g * group));
                     if (static_cast<int64_t>(sums.size()) == g)
                       sums.push_back(at::zeros({part.size(1), part.size(1)}, part.options()));
                     sums[static_cast<size_t>(g)].addmm_(part.t(), part);
                   }
                 });
  return moments;
}

}  // namespace wkvq
