#include "methods/gptq/hessians.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/files/heap.h"
#include "core/device/finite.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "methods/common/observe.h"
#include "methods/common/weight_method.h"

namespace wkvq {

namespace {

/// Sums over the inputs of the linears of some names.
class Collector {
 public:
  /// `full` is what deviations are from.
  Collector(const BlockContext& context, const BlockWeights& full, double alpha)
      : context_(context), full_(full), alpha_(alpha) {}

  std::map<std::string, InputMoments> collect(const std::vector<std::string>& wanted) const {
    std::map<std::string, InputMoments> moments;
    const std::vector<at::Tensor>& hidden = context_.inputs_quantized();
    for (size_t batch = 0; batch < hidden.size(); ++batch) add(batch, wanted, moments);
    for (const auto& [linear, sums] : moments) {
      const std::string where = fmt::format("block_{:02}/{}", context_.layer, linear);
      require_finite(sums.hessian, "second moments of the inputs of " + where);
      require_finite(sums.deviation, "deviations of the inputs of " + where);
    }
    return moments;
  }

 private:
  void add(size_t batch, const std::vector<std::string>& wanted,
           std::map<std::string, InputMoments>& moments) const {
    const auto is_wanted = [&](const std::string& linear) {
      return std::ranges::find(wanted, linear) != wanted.end();
    };
    std::map<std::string, at::Tensor> exact;
    if (alpha_ > 0)
      observe_inputs(context_, full_, {context_.inputs_full()[batch]},
                     [&](const std::string& linear, const at::Tensor& x) {
                       if (is_wanted(linear)) exact[linear] = widened(x);
                     });
    observe_inputs(
        context_, context_.block.weights, {context_.inputs_quantized()[batch]},
        [&](const std::string& linear, const at::Tensor& x) {
          if (!is_wanted(linear)) return;
          const at::Tensor wide = widened(x);
          const auto zeros = [&] { return at::zeros({x.size(1), x.size(1)}, wide.options()); };
          if (!moments.contains(linear))
            moments.emplace(linear, InputMoments(zeros(), alpha_ > 0 ? zeros() : at::Tensor()));
          InputMoments& sums = moments.at(linear);
          sums.hessian.addmm_(wide.t(), wide);
          if (alpha_ > 0) sums.deviation.addmm_((exact.at(linear) - wide).t(), wide, 1, alpha_);
        });
  }

  const BlockContext& context_;
  BlockWeights full_;
  double alpha_;
};

}  // namespace

void visit_with_hessians(BlockContext& context, const HessianOptions& options,
                         const HessianVisitor& visitor) {
  const Collector collector(context, context.block.weights, options.alpha);
  std::map<std::string, InputMoments> moments;
  if (!options.sequential) moments = collector.collect(readers());
  for (const std::string& reader : readers()) {
    if (options.sequential) {
      moments.clear();  // not two of them at once
      moments = collector.collect({reader});
    }
    context.block.weights.visit_linears([&](const char* name, Linear& linear) {
      if (reader != reader_of(linear_named(name).input)) return;
      visitor(name, linear, moments.at(reader));
      release_freed_memory();  // columns of a weight lie on the heap, several copies of them
    });
  }
}

double gptq_bytes(const ModelConfig& model, const CalibrationSize& size,
                  const HessianOptions& options) {
  constexpr double kWeightCopies = 5;
  const double matrices = options.alpha > 0 ? 7 : 4, held = options.alpha > 0 ? 2 : 1;
  const double width = std::max(4.0, size.element_bytes);
  const auto square = [&](int64_t inputs) {
    return width * static_cast<double>(inputs) * static_cast<double>(inputs);
  };
  const double widest = square(widest_input(model));
  const double weight = width * static_cast<double>(largest_block_tensor(model));
  const double batch =
      held * static_cast<double>(size.batch_tokens) * activation_bytes(model, size.element_bytes);
  const double others = options.sequential ? 0
                                           : held * 2 * square(model.hidden_size) +
                                                 square(input_size(model, LinearInput::kHeads));
  return others + std::max(matrices * widest + kWeightCopies * weight, held * widest + batch);
}

}  // namespace wkvq
