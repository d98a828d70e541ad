#include "methods/common/scaling_site.h"

#include "core/calibrate/statistics.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

// The reference's floors of weight maxima and scales (smoothquant c61476d).
constexpr double kSmallest = 1e-5;

}  // namespace

at::Tensor ScalingSite::by_channel(const at::Tensor& x) const {
  return x.view({heads, sharing, -1});
}

at::Tensor ScalingSite::to_inputs(const at::Tensor& s) const {
  const at::Tensor channels = s.view({heads, 1, -1});
  return channels.expand({heads, sharing, channels.size(2)}).reshape({-1});
}

void ScalingSite::apply(const at::Tensor& s) const {
  // Half types are scaled in the wider dtype of `s`, then rounded once.
  if (gain) *gain = (*gain / s).to(gain->scalar_type());
  if (producer) {
    producer->weight = (producer->weight / s.unsqueeze(1)).to(producer->weight.scalar_type());
    if (producer->bias.defined())
      producer->bias = (producer->bias / s).to(producer->bias.scalar_type());
  }
  const at::Tensor columns = to_inputs(s);
  for (Linear* linear : linears)
    linear->weight = (linear->weight * columns).to(linear->weight.scalar_type());
}

ScalingSite scaling_site(Site site, const ModelConfig& model, BlockWeights& weights) {
  switch (site) {
    case Site::kInputNorm:
      return {.name = "input_norm",
              .input = reader_of(LinearInput::kAttention),
              .linears = {&weights.query, &weights.key, &weights.value},
              .gain = &weights.input_norm};
    case Site::kPostNorm:
      return {.name = "post_norm",
              .input = reader_of(LinearInput::kMlp),
              .linears = {&weights.gate, &weights.up},
              .gain = &weights.post_norm};
    case Site::kValueOutput:
      return {.name = "value_output",
              .input = reader_of(LinearInput::kHeads),
              .linears = {&weights.output},
              .producer = &weights.value,
              .heads = model.kv_heads,
              .sharing = model.heads / model.kv_heads};
    case Site::kUpDown:
      break;
  }
  return {.name = "up_down",
          .input = reader_of(LinearInput::kInner),
          .linears = {&weights.down},
          .producer = &weights.up};
}

at::Tensor largest_weights(const ScalingSite& site) {
  at::Tensor largest;
  for (const Linear* linear : site.linears) {
    const at::Tensor columns = widened(linear->weight).abs().amax(0);
    largest = largest.defined() ? at::maximum(largest, columns) : columns;
  }
  return largest;
}

at::Tensor smoothing_scale(const at::Tensor& inputs, const at::Tensor& weights, double alpha) {
  const at::Tensor scale =
      (inputs.pow(alpha) / weights.clamp_min(kSmallest).pow(1 - alpha)).clamp_min(kSmallest);
  return at::where(inputs > 0, scale, at::ones_like(scale));
}

void record_scale(Recorder& recorder, int64_t layer, const ScalingSite& site, const at::Tensor& s) {
  const at::Tensor values = s.to(at::kCPU, at::kFloat).contiguous();
  const float* data = values.const_data_ptr<float>();
  recorder.column(calibration_group(layer) + "/" + site.name, "scale",
                  std::vector<float>(data, data + values.numel()));
}

}  // namespace wkvq
