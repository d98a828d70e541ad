#include "methods/common/learned_method.h"

#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/statistics.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

Array to_array(const at::Tensor& x) {
  const at::Tensor y = x.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* data = y.const_data_ptr<double>();
  return {{y.sizes().begin(), y.sizes().end()}, {data, data + y.numel()}};
}

void record(Recorder& recorder, int64_t layer, const TrainingReport& report,
            const LearnedParameters& parameters) {
  const std::string group = fmt::format("/calibration/block_{:02}", layer);
  recorder.attribute(group, "loss_before", report.first);
  recorder.attribute(group, "loss_after", report.last);
  if (!report.loss.empty()) recorder.column(group, "loss", report.loss);
  if (!report.events.empty())
    recorder.attribute(group, "events", fmt::format("{}", fmt::join(report.events, "; ")));
  for (const auto& [name, value] : parameters)
    recorder.array(group + "/parameters", name, to_array(value));
}

}  // namespace

void LearnedMethod::visit_own(OptionVisitor& v) {
  v("learn_clip", learn_.clip, "learn the clipping of weight ranges");
  v("learn_transform", learn_.transform,
    "learn an equivalent transformation: norms to linears, value to output, query to key");
  v("alpha", learn_.alpha, "migration strength of the transformation's initial scales, 0 to 1");
  v("loss", loss_, "what training minimizes");
  v("training", training_, "how");
  if (!(learn_.alpha >= 0 && learn_.alpha <= 1))
    v.reject("alpha", fmt::format("{}; expected 0 to 1", learn_.alpha));
}

void LearnedMethod::check(const ModelConfig& model) const {
  WeightMethod::check(model);
  if (activation_.needs_statistics())
    config_error("method.activation: scale: tensor is not for methods that train; expected token");
  if (learn_.clip && weight_.per_tensor)
    config_error("method: learn_clip clips groups; it cannot be combined with weight.per_tensor");
}

void LearnedMethod::calibrate(BlockContext& context, Recorder& recorder) {
  const LearnedOptions options{weight_, activation_, kv_, learn_, training_};
  const BlockWeights full = context.block.weights;
  LearnedBlock block(context, options);
  TrainingReport report;
  const auto stored = context.learned ? context.learned->load(context.layer) : std::nullopt;
  if (stored) {
    block.assign(*stored);
  } else if (!block.parameters().empty()) {
    report = train_block(context, block, training_, loss_, kv_.view);
  }
  const at::NoGradGuard no_grad;
  QuantizedBlock quantized = block.build();
  if (context.learned) context.learned->save(context.layer, block.parameters());
  record(recorder, context.layer, report, block.parameters());
  BlockWeights before = full;
  std::map<std::string, at::Tensor> exact;
  before.visit_linears([&](const char* name, Linear& linear) { exact[name] = linear.weight; });
  if (!weight_.identity() && !learn_.transform)
    quantized.weights.visit_linears([&](const char* name, Linear& linear) {
      record_weight_error(recorder, context.layer, name, exact[name], linear.weight);
    });
  context.block = quantized;
}

}  // namespace wkvq
