#include "core/kv_codec.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/hadamard.h"
#include "core/tensors.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

// Below this a channel's scale would blow rounding errors of the quantizer up when undone in half
// precision.
constexpr double kSmallestChannelScale = 1e-4;

void check_tensor(const char* who, const KvTensorOptions& options, const KvViewOptions& view,
                  const ModelConfig& model) {
  if (options.bits == 16) return;
  if (options.rotate == KvRotation::kHadamard && !is_power_of_two(model.head_dim))
    config_error(
        "method.kv: rotate: hadamard of the {} does not fit head_dim {}; expected a power of two",
        who, model.head_dim);
  if (options.axis == KvAxis::kTime) {
    if (options.group_size < 1)
      config_error(
          "method.kv: {} are grouped along time: group_size {} does not fit; expected the number "
          "of tokens",
          who, options.group_size);
    const bool is_key = std::string_view(who) == "keys";
    if (view.mode == ViewMode::kNone) return;
    if (!is_key || view.mode != ViewMode::kKivi || view.window % options.group_size != 0)
      config_error(
          "method.kv: {} in groups of {} along time under view '{}': a query would see its own "
          "future; "
          "expected keys under mode kivi with a window that is a multiple of the group",
          who, options.group_size, view.name());
    return;
  }
  const bool head = options.group_scope == GroupScope::kHead;
  const int64_t width = head ? model.head_dim : model.head_dim * model.kv_heads;
  if (options.group_size > width)
    config_error("method.kv: group_size {} of the {} does not fit {} channels ({}){}",
                 options.group_size, who, width, head ? "head_dim" : "kv_heads x head_dim",
                 head ? "; group_scope: token lets groups span heads" : "");
}

}  // namespace

void ChannelOptions::visit(OptionVisitor& v) {
  v.choice("shift", shift, {"none", "static", "learned"},
           "subtract the middle of each channel's range");
  v.choice("scale", scale, {"none", "static", "learned"}, "divide by half of each channel's range");
  v("exponent", exponent, "power applied to the half range, 0 to 1");
  if (!(exponent >= 0 && exponent <= 1))
    v.reject("exponent", fmt::format("{}; expected 0 to 1", exponent));
}

void KvTensorOptions::visit(OptionVisitor& v) {
  v("bits", bits, "2 to 8; 16: no quantization");
  v("group_size", group_size, "axis token: channels, -1: head_dim; axis time: tokens");
  v.choice("axis", axis, {"token", "time"}, "groups lie within a token or along time");
  v.choice("group_scope", group_scope, {"head", "token"}, "groups end at heads or span them");
  v.choice("form", form, quant_form_names(), "affine form: A, B or C");
  v.choice("scale_dtype", scale_dtype, scale_dtype_names(), "dtype of stored scales and minima");
  v.choice("rotate", rotate, {"none", "hadamard"},
           "mix the channels of a head before quantization, and back after it");
  v("channel", channel, "static channel shift and scale");
  check_bits(v, "bits", bits);
  if (group_size != -1 && group_size < 1)
    v.reject("group_size", fmt::format("{}; expected a positive number, or -1", group_size));
}

void KvOptions::visit(OptionVisitor& v) {
  both.visit(v);
  if (v.purpose() == OptionVisitor::Purpose::kRead) key = value = both;
  // Written out only where they differ, so that equal configurations have equal text.
  const bool writing = v.purpose() == OptionVisitor::Purpose::kWrite;
  if (!writing || key != both) v("key", key, "overrides for keys: any field of kv");
  if (!writing || value != both) v("value", value, "overrides for values: any field of kv");
  v("view", view, "which keys and values a query sees quantized");
}

void check_kv_options(const KvOptions& options, const KvViewOptions& view,
                      const ModelConfig& model) {
  check_tensor("keys", options.key, view, model);
  check_tensor("values", options.value, view, model);
}

void ChannelRange::add(const at::Tensor& x) {
  const at::Tensor low = x.amin({0, 2}), high = x.amax({0, 2});
  lowest = lowest.defined() ? at::minimum(lowest, low) : low;
  highest = highest.defined() ? at::maximum(highest, high) : high;
}

ChannelTransform static_channels(const ChannelOptions& options, const ChannelRange& range) {
  ChannelTransform channels;
  if (!options.needs_statistics()) return channels;
  TORCH_CHECK(range.lowest.defined(), "kv codec: channels without calibration statistics");
  if (options.shift != ChannelMode::kNone) channels.shift = (range.highest + range.lowest) / 2;
  if (options.scale != ChannelMode::kNone) {
    const at::Tensor half = (range.highest - range.lowest) / 2;
    const at::Tensor scale = half.pow(options.exponent).clamp_min(kSmallestChannelScale);
    channels.scale = at::where(half > 0, scale, at::ones_like(scale));
  }
  return channels;
}

KvTensorCodec::KvTensorCodec(const KvTensorOptions& options, const ChannelRange& range)
    : KvTensorCodec(options, options.bits == 16 ? ChannelTransform()
                                                : static_channels(options.channel, range)) {}

KvTensorCodec::KvTensorCodec(const KvTensorOptions& options, const ChannelTransform& channels)
    : options_(options) {
  const auto broadcast = [](const at::Tensor& x) {
    return x.defined() ? x.unsqueeze(0).unsqueeze(2) : x;
  };
  shift_ = broadcast(channels.shift);
  scale_ = broadcast(channels.scale);
}

QuantSpec KvTensorCodec::spec(int64_t seq) const {
  const bool time = options_.axis == KvAxis::kTime;
  return {.bits = options_.bits,
          .group_size = time ? std::min(options_.group_size, seq) : options_.group_size,
          .form = options_.form,
          .range = QuantRange::kRaw,
          .scale_dtype = options_.scale_dtype};
}

at::Tensor KvTensorCodec::to_rows(const at::Tensor& x) const {
  at::Tensor rows = widened(x);
  if (shift_.defined()) rows = rows - shift_;
  if (scale_.defined()) rows = rows / scale_;
  if (options_.rotate == KvRotation::kHadamard) rows = hadamard(rows);
  if (options_.axis == KvAxis::kTime) return rows.transpose(2, 3).contiguous();
  if (options_.group_scope == GroupScope::kToken)
    return rows.transpose(1, 2).flatten(2).contiguous();
  return rows.contiguous();
}

at::Tensor KvTensorCodec::from_rows(const at::Tensor& rows, int64_t batch, int64_t kv_heads) const {
  at::Tensor x = rows;
  if (options_.axis == KvAxis::kTime) {
    x = rows.transpose(2, 3);
  } else if (options_.group_scope == GroupScope::kToken) {
    x = rows.reshape({batch, rows.size(1), kv_heads, -1}).transpose(1, 2);
  }
  if (options_.rotate == KvRotation::kHadamard) x = hadamard(x);
  if (scale_.defined()) x = x * scale_;
  if (shift_.defined()) x = x + shift_;
  return x;
}

at::Tensor KvTensorCodec::fake(const at::Tensor& x) const {
  if (identity()) return x;
  const at::Tensor rows = fake_quantize(to_rows(x), spec(x.size(2)));
  return from_rows(rows, x.size(0), x.size(1)).to(x.scalar_type());
}

EncodedKv KvTensorCodec::encode(const at::Tensor& x) const {
  TORCH_CHECK(!identity(), "kv codec: 16 bits has no codes");
  return {wkvq::encode(to_rows(x), spec(x.size(2))), x.size(0), x.size(1), x.scalar_type()};
}

at::Tensor KvTensorCodec::decode(const EncodedKv& encoded) const {
  return from_rows(wkvq::decode(encoded.rows), encoded.batch, encoded.kv_heads).to(encoded.dtype);
}

double KvTensorCodec::stored_bits(const KvTensorOptions& options, const ModelConfig& model,
                                  int64_t compute_bits) {
  if (options.bits == 16) return static_cast<double>(compute_bits);
  const KvTensorCodec codec(options, ChannelTransform());
  if (options.axis == KvAxis::kTime)
    return codec.spec(options.group_size).bits_per_value(options.group_size, compute_bits);
  const bool head = options.group_scope == GroupScope::kHead;
  return codec.spec(1).bits_per_value(head ? model.head_dim : model.head_dim * model.kv_heads,
                                      compute_bits);
}

}  // namespace wkvq
