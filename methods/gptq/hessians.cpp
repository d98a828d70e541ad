#include "methods/gptq/hessians.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/device/finite.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "methods/common/observe.h"
#include "methods/common/weight_method.h"

namespace wkvq {

namespace {

/// Hessians of the inputs named in `wanted`.
std::map<std::string, at::Tensor> collect(const BlockContext& context,
                                          const std::vector<std::string>& wanted) {
  std::map<std::string, at::Tensor> hessians;
  observe_inputs(context, context.block.weights, context.inputs_quantized(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   if (std::ranges::find(wanted, linear) == wanted.end()) return;
                   const at::Tensor wide = widened(x);
                   at::Tensor& h = hessians[linear];
                   if (!h.defined()) h = at::zeros({x.size(1), x.size(1)}, wide.options());
                   h.addmm_(wide.t(), wide);
                 });
  for (const auto& [linear, hessian] : hessians)
    require_finite(hessian, fmt::format("second moments of the inputs of block_{:02}/{}",
                                        context.layer, linear));
  return hessians;
}

}  // namespace

void visit_with_hessians(BlockContext& context, bool sequential, const HessianVisitor& visitor) {
  std::map<std::string, at::Tensor> hessians;
  if (!sequential) hessians = collect(context, readers());
  for (const std::string& reader : readers()) {
    if (sequential) {
      hessians.clear();  // not two of them at once
      hessians = collect(context, {reader});
    }
    context.block.weights.visit_linears([&](const char* name, Linear& linear) {
      if (reader == reader_of(linear_named(name).input)) visitor(name, linear, hessians[reader]);
    });
  }
}

double gptq_bytes(const ModelConfig& model, const CalibrationSize& size, bool sequential) {
  constexpr double kMatrices = 4, kWeightCopies = 5;
  const double width = std::max(4.0, size.element_bytes);
  const auto square = [&](int64_t inputs) {
    return width * static_cast<double>(inputs) * static_cast<double>(inputs);
  };
  const double widest = square(widest_input(model));
  const double weight = width * static_cast<double>(largest_block_tensor(model));
  const double batch =
      static_cast<double>(size.batch_tokens) * activation_bytes(model, size.element_bytes);
  const double others =
      sequential ? 0
                 : 2 * square(model.hidden_size) + square(input_size(model, LinearInput::kHeads));
  return others + std::max(kMatrices * widest + kWeightCopies * weight, widest + batch);
}

}  // namespace wkvq
