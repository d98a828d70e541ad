#include "methods/common/output_error.h"

#include <cmath>

#include "core/calibrate/statistics.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "methods/common/observe.h"

namespace wkvq {

namespace {

// Enough rows for a figure of two digits; few enough to cost about a hundredth of a calibration.
constexpr int64_t kWindows = 2, kLength = 65;

// Elements of a weight that are worked on at once.
constexpr int64_t kSliceElements = int64_t{1} << 22;

/// The first tokens of up to kWindows windows, evenly spread over `batches`.
std::vector<at::Tensor> sample_of(const std::vector<at::Tensor>& batches) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& batch : batches)
    for (int64_t i = 0; i < batch.size(0); ++i) rows.push_back(batch.narrow(0, i, 1));
  std::vector<at::Tensor> sample;
  const auto count = static_cast<int64_t>(rows.size());
  for (int64_t i = 0; i < std::min(kWindows, count); ++i) {
    const at::Tensor& row = rows[static_cast<size_t>(i * count / std::min(kWindows, count))];
    sample.push_back(row.narrow(1, 0, std::min(kLength, row.size(1))));
  }
  return sample;
}

/// The rows of a window [tokens, in] that are measured. The first token's are a thousand times
/// the others' in many models: it would be all that an error says.
at::Tensor measured(const at::Tensor& x) {
  return widened(x.size(0) > 1 ? x.narrow(0, 1, x.size(0) - 1) : x);
}

/// Sums over the rows of X of one linear by its output channels [out], in float64.
struct Sums {
  at::Tensor full;  ///< squares of the outputs of the model's own weight
  at::Tensor
      exact;  ///< of the transformed one on its own inputs; undefined where it is the model's
  at::Tensor error;    ///< squares of what rounding changes of them
  at::Tensor nearest;  ///< of what rounding the model's own weight to nearest changes
  int64_t rows = 0;
};

/// Calls action(first, count) for slices of the rows of `weight`; all at once where they share a
/// grid.
template <class Action>
void for_slices(const at::Tensor& weight, const QuantSpec& spec, const Action& action) {
  const int64_t rows = weight.size(0);
  const int64_t step =
      spec.per_tensor ? rows : std::max<int64_t>(1, kSliceElements / weight.size(1));
  for (int64_t first = 0; first < rows; first += step) action(first, std::min(step, rows - first));
}

class OutputErrors {
 public:
  OutputErrors(const BlockContext& context, const OutputErrorQuestion& question)
      : context_(context), question_(question), exact_(question.exact) {
    BlockWeights full = question.full, quantized = context.block.weights;
    full.visit_linears([&](const char* name, Linear& linear) { full_[name] = linear.weight; });
    exact_.visit_linears([&](const char* name, Linear& linear) { before_[name] = linear.weight; });
    quantized.visit_linears(
        [&](const char* name, Linear& linear) { after_[name] = linear.weight; });
  }

  std::map<std::string, Sums> over(const std::vector<at::Tensor>& hidden) {
    sums_.clear();
    const bool same = is_unchanged(question_.full, exact_);
    const auto observe = [&](const BlockWeights& weights, const auto& add) {
      observe_inputs(context_, weights, hidden,
                     [&](const std::string& linear, const at::Tensor& x) {
                       const QuantSpec spec = question_.spec_of(linear);
                       if (!spec.identity()) add(linear, spec, measured(x));
                     });
    };
    observe(question_.full, [&](const std::string& linear, const QuantSpec& spec,
                                const at::Tensor& x) { add_own(linear, spec, x, same); });
    if (same) return sums_;
    observe(exact_, [&](const std::string& linear, const QuantSpec& spec, const at::Tensor& x) {
      add_transformed(linear, spec, x);
    });
    return sums_;
  }

 private:
  static at::Tensor squares(const at::Tensor& x, const at::Tensor& weight) {
    return at::linear(x, weight).square().sum(0, false, at::kDouble);
  }

  /// Outputs of the model's own weight and their errors where it is rounded to nearest; `same`:
  /// also the errors of what the method made of it.
  void add_own(const std::string& linear, const QuantSpec& spec, const at::Tensor& x, bool same) {
    const at::Tensor& weight = full_.at(linear);
    Sums& sums = sums_[linear];
    if (!sums.full.defined()) {
      sums.full = at::zeros({weight.size(0)}, x.options().dtype(at::kDouble));
      sums.error = at::zeros_like(sums.full);
      sums.nearest = at::zeros_like(sums.full);
    }
    sums.rows += x.size(0);
    for_slices(weight, spec, [&](int64_t first, int64_t count) {
      const at::Tensor part = weight.narrow(0, first, count).contiguous(), wide = widened(part);
      sums.full.narrow(0, first, count).add_(squares(x, wide));
      at::Tensor own;
      if (same) own = squares(x, widened(after_.at(linear).narrow(0, first, count)) - wide);
      if (same) sums.error.narrow(0, first, count).add_(own);
      if (!same || !question_.nearest) own = squares(x, widened(fake_quantize(part, spec)) - wide);
      sums.nearest.narrow(0, first, count).add_(own);
    });
  }

  void add_transformed(const std::string& linear, const QuantSpec& spec, const at::Tensor& x) {
    Sums& sums = sums_[linear];
    if (!sums.exact.defined()) sums.exact = at::zeros_like(sums.full);
    for_slices(before_.at(linear), spec, [&](int64_t first, int64_t count) {
      const at::Tensor wide = widened(before_.at(linear).narrow(0, first, count));
      const at::Tensor change = widened(after_.at(linear).narrow(0, first, count)) - wide;
      sums.exact.narrow(0, first, count).add_(squares(x, wide));
      sums.error.narrow(0, first, count).add_(squares(x, change));
    });
  }

  const BlockContext& context_;
  const OutputErrorQuestion& question_;
  BlockWeights exact_;
  std::map<std::string, at::Tensor> full_, before_, after_;
  std::map<std::string, Sums> sums_;
};

void record(Recorder& recorder, int64_t layer, const std::string& prefix,
            const std::map<std::string, Sums>& all) {
  for (const auto& [linear, sums] : all) {
    const std::string group = statistics_group(layer) + "/" + linear;
    const double signal = sums.full.sum().item<double>();
    const auto relative = [&](const at::Tensor& squares) {
      const double error = squares.sum().item<double>();
      return error == 0 ? 0 : std::sqrt(error / signal);
    };
    // A transformation may scale rows; errors are measured in the model's own units.
    const at::Tensor unit = sums.exact.defined() ? at::where(sums.exact > 0, sums.full / sums.exact,
                                                             at::ones_like(sums.full))
                                                 : at::ones_like(sums.full);
    recorder.attribute(group, prefix + "_error", relative(sums.error * unit));
    recorder.attribute(group, prefix + "_error_nearest", relative(sums.nearest));
    recorder.attribute(group, prefix + "_rows", sums.rows);
  }
}

}  // namespace

void record_output_errors(const BlockContext& context, Recorder& recorder,
                          const OutputErrorQuestion& question) {
  if (!context.measure_errors) return;
  const at::NoGradGuard no_grad;
  OutputErrors errors(context, question);
  if (context.quantized && !context.quantized->empty())
    record(recorder, context.layer, "output", errors.over(sample_of(*context.quantized)));
  if (context.text.defined())
    record(recorder, context.layer, "text", errors.over(sample_of({context.text})));
}

}  // namespace wkvq
