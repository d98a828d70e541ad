#include "core/kv/kv_channels.h"

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

// Below this a channel's scale would blow rounding errors of the quantizer up when undone in half
// precision.
constexpr double kSmallestChannelScale = 1e-4;

}  // namespace

void ChannelRange::add(const at::Tensor& x) {
  const at::Tensor low = x.amin({0, 2}), high = x.amax({0, 2});
  lowest = lowest.defined() ? at::minimum(lowest, low) : low;
  highest = highest.defined() ? at::maximum(highest, high) : high;
}

at::Tensor over_pairs(const at::Tensor& x) {
  return at::cat({x, x}, 1);
}

ChannelTransform static_channels(const KvTensorOptions& options, const ChannelRange& range) {
  ChannelTransform channels;
  if (options.identity() || !options.channel.needs_statistics()) return channels;
  TORCH_CHECK(range.lowest.defined(), "kv codec: channels without calibration statistics");
  if (options.channel.shift != ChannelMode::kNone)
    channels.shift = (range.highest + range.lowest) / 2;
  if (options.channel.scale == ChannelMode::kNone) return channels;
  const at::Tensor half = (range.highest - range.lowest) / 2;
  const at::Tensor scale = half.pow(options.channel.exponent).clamp_min(kSmallestChannelScale);
  channels.scale = at::where(half > 0, scale, at::ones_like(scale));
  if (!options.ties_pairs()) return channels;
  const int64_t pairs = channels.scale.size(1) / 2;
  channels.scale = over_pairs(
      (channels.scale.narrow(1, 0, pairs) * channels.scale.narrow(1, pairs, pairs)).sqrt());
  return channels;
}

}  // namespace wkvq
