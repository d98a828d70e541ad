#include "methods/common/learned_method.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/calibrate/statistics.h"
#include "core/device/finite.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "methods/common/output_error.h"

namespace wkvq {

namespace {

// The report travels with the parameters, so that a resumed run tells what an uninterrupted one
// does.
constexpr const char* kLoss = "training.loss";
constexpr const char* kEnds = "training.first_last";
constexpr const char* kEvents = "training.events";

LearnedParameters with_report(LearnedParameters parameters, const TrainingReport& report) {
  const std::string events = fmt::format("{}", fmt::join(report.events, "; "));
  const std::vector<double> letters(events.begin(), events.end());
  parameters[kLoss] = at::tensor(at::ArrayRef<double>(report.loss), at::kDouble);
  parameters[kEnds] = at::tensor({report.first, report.last}, at::kDouble);
  parameters[kEvents] = at::tensor(at::ArrayRef<double>(letters), at::kDouble);
  return parameters;
}

void record(Recorder& recorder, int64_t layer, const LearnedParameters& kept) {
  const std::string group = calibration_group(layer);
  for (const auto& [name, value] : kept) {
    const Array array = to_array(value);
    if (name == kEnds) {
      recorder.attribute(group, "loss_before", array.values.at(0));
      recorder.attribute(group, "loss_after", array.values.at(1));
    } else if (name == kEvents) {
      const std::string events(array.values.begin(), array.values.end());
      if (!events.empty()) recorder.attribute(group, "events", events);
    } else if (name == kLoss) {
      if (!array.values.empty()) recorder.column(group, "loss", array.values);
    } else {
      recorder.array(group + "/parameters", name, array);
    }
  }
}

/// Training leaves its losses beside the parameters: nothing but zeros was damaged.
void require_trained(const LearnedParameters& stored, int64_t layer) {
  for (const auto& [name, value] : stored)
    if (value.any().item<bool>()) return;
  if (!stored.empty())
    throw NotFiniteError(fmt::format("stored parameters of block_{:02}: all are 0", layer));
}

}  // namespace

void LearnedMethod::visit_own(OptionVisitor& v) {
  v("learn_clip", learn_.clip, "learn the clipping of weight ranges");
  v.choice("clip_start", learn_.clip_start, {"range", "search"},
           "clipping begins at nearly the whole range, or where a search of weight error puts it");
  v("learn_transform", learn_.transform,
    "learn an equivalent transformation: norms to linears, value to output, query to key");
  v("alpha", learn_.alpha, "migration strength of the transformation's initial scales, 0 to 1");
  v("loss", loss_, "what training minimizes");
  v("training", training_, "how");
  if (!(learn_.alpha >= 0 && learn_.alpha <= 1))
    v.reject("alpha", fmt::format("{}; expected 0 to 1", learn_.alpha));
}

double LearnedMethod::calibration_passes() const {
  constexpr double kFitting = 3;
  const bool trains =
      (learn_.clip && !weight_.identity()) || learn_.transform || (!kv_.identity() && kv_.learns());
  // Forward, backward and the update, through the blocks that the loss looks ahead.
  const double pass = 3 * static_cast<double>(1 + loss_.following_blocks);
  return kFitting + (trains ? static_cast<double>(training_.epochs) * pass : 0);
}

void LearnedMethod::check(const ModelConfig& model) const {
  WeightMethod::check(model);
  if (activation_.needs_statistics())
    config_error("method.activation: scale: tensor is not for methods that train; expected token");
  if (learn_.transform &&
      (kv_.key.range == KvRange::kStatic || kv_.value.range == KvRange::kStatic) && !kv_.identity())
    config_error(
        "method: learn_transform moves the channels that kv: range: static is fitted to; expected "
        "range: dynamic, or learn_transform: false");
  if (learn_.clip && weight_.per_tensor)
    config_error("method: learn_clip clips groups; it cannot be combined with weight.per_tensor");
}

MethodMemory LearnedMethod::calibration_memory(const ModelConfig& model,
                                               const CalibrationSize& size) const {
  MethodMemory memory = WeightMethod::calibration_memory(model, size);
  memory.following_blocks = std::min(loss_.following_blocks, model.layers - 1);
  const double width = size.element_bytes;
  const auto elements = static_cast<double>(block_elements(model));
  // What the backward pass needs of every token in every block, and one block on its way.
  const auto tokens = static_cast<double>(size.window_tokens * training_.batch);
  const double activations =
      tokens * activation_bytes(model, width) * static_cast<double>(memory.following_blocks + 2);
  // Gradients of all weights wait for the quantizer's backward pass; scaled weights are kept.
  double weights = elements * width + 2 * static_cast<double>(largest_block_tensor(model)) * width;
  if (learn_.transform) weights += 2 * elements * width;
  // Two ratios a group, each with gradient, two moments and four snapshots in float32.
  if (learn_.clip && !weight_.identity() && weight_.group_size > 0)
    weights += 2 * 8 * 4 * elements / static_cast<double>(weight_.group_size);
  memory.bytes = std::max(memory.bytes, weights + activations);
  return memory;
}

void LearnedMethod::calibrate(BlockContext& context, Recorder& recorder) {
  const LearnedOptions options{weight_, activation_, kv_of(context.layer, context.model), learn_,
                               training_};
  if (const std::string open = not_stated(); context.layer == 0 && !open.empty())
    recorder.attribute("/calibration", "not_stated", open);
  BlockWeights full = context.block.weights;
  LearnedBlock block(context, options);
  const auto stored = context.learned ? context.learned->load(context.layer) : std::nullopt;
  LearnedParameters kept;
  if (stored) {
    require_trained(*stored, context.layer);
    block.assign(*stored);
    kept = *stored;
  } else if (!block.parameters().empty()) {
    kept = with_report(block.parameters(), train_block(context, block, training_, loss_, kv_.view));
    if (context.learned) context.learned->save(context.layer, kept);
  }
  const at::NoGradGuard no_grad;
  const QuantizedBlock quantized = block.build(context.keep_codes);
  record(recorder, context.layer, kept);
  context.block = quantized;
  // Training saw the grids of the full-precision weights; the cache holds what the quantized ones
  // produce.
  block.fit_grids(context);
  context.block.codec = block.codec();
  record_kv_grids(recorder, context.layer, block.grids());
  record_output_errors(context, recorder, {full, block.transformed(), spec_of(context)});
  if (weight_.identity() || learn_.transform) return;
  std::map<std::string, at::Tensor> exact;
  full.visit_linears([&](const char* name, Linear& linear) { exact[name] = linear.weight; });
  context.block.weights.visit_linears([&](const char* name, Linear& linear) {
    record_weight_error(recorder, context.layer, name, exact[name], linear.weight);
  });
}

}  // namespace wkvq
