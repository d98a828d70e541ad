#include "core/calibrate/statistics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/attention/masked_attention.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// |x - y| / |x| (Frobenius) of each head, x and y [batch, heads, seq, n].
at::Tensor relative_by_head(const at::Tensor& x, const at::Tensor& y) {
  const auto norm = [](const at::Tensor& z) {
    return z.to(at::kDouble).transpose(0, 1).flatten(1).norm(2, {1});
  };
  const at::Tensor noise = norm(x - y);
  return at::where(noise == 0, 0, noise / norm(x));
}

void record_channels(Recorder& recorder, const std::string& group, const at::Tensor& x,
                     const at::Tensor& quantized) {
  // [kv_heads, head_dim, tokens]
  const at::Tensor channels = x.to(at::kDouble).permute({1, 3, 0, 2}).flatten(2).contiguous();
  const auto [lowest, highest] = at::aminmax(channels, -1);
  const auto [deviation, mean] = at::std_mean(channels, at::IntArrayRef{-1}, /*unbiased=*/false);
  recorder.array(group, "min", to_array(lowest));
  recorder.array(group, "max", to_array(highest));
  recorder.array(group, "mean", to_array(mean));
  recorder.array(group, "std", to_array(deviation));
  recorder.attribute(group, "tokens", channels.size(-1));
  if (quantized.is_same(x)) return;
  recorder.attribute(group, "sqnr_db", sqnr_db(x, quantized));
  recorder.array(group, "head_error", to_array(relative_by_head(x, quantized)));
}

/// q_t . k_s, 0 where s > t.
at::Tensor causal_logits(const at::Tensor& query, const at::Tensor& key) {
  const int64_t repeat = query.size(1) / key.size(1);
  return at::matmul(query, key.repeat_interleave(repeat, 1).transpose(-1, -2)).tril_();
}

/// The products in the dtype of the keys, their squares summed in float64.
double logit_error(const at::Tensor& query, const at::Tensor& key, const at::Tensor& quantized) {
  const int64_t seq = query.size(2);
  const at::Tensor logits = causal_logits(query, quantized - key);
  const double pairs = static_cast<double>(query.size(0) * query.size(1) * seq * (seq + 1)) / 2;
  const double norm =
      at::linalg_vector_norm(logits, 2, std::nullopt, false, at::kDouble).item<double>();
  return norm / std::sqrt(pairs * static_cast<double>(query.size(3)));
}

// Elements that are compared in float64 at once: copies of a whole weight would take four times a
// float32 one.
constexpr int64_t kComparedAtOnce = int64_t{1} << 18;

/// Sums of squares of x and of x - y, and the largest |x - y|, in float64.
struct Comparison {
  double signal = 0, noise = 0, largest = 0;
};

Comparison compare(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor all_x = x.reshape({-1}), all_y = y.reshape({-1});
  Comparison sums;
  for (int64_t first = 0; first < all_x.numel(); first += kComparedAtOnce) {
    const int64_t count = std::min(kComparedAtOnce, all_x.numel() - first);
    const at::Tensor exact = all_x.narrow(0, first, count).to(at::kDouble);
    const at::Tensor error = exact - all_y.narrow(0, first, count).to(at::kDouble);
    sums.signal += exact.square().sum().item<double>();
    sums.noise += error.square().sum().item<double>();
    const double largest = error.abs().max().item<double>();
    if (std::isnan(largest) || largest > sums.largest) sums.largest = largest;
  }
  return sums;
}

double sqnr_db(const Comparison& sums) {
  if (sums.noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(sums.signal / sums.noise);
}

double relative_error(const at::Tensor& x, const at::Tensor& y) {
  const Comparison sums = compare(x, y);
  return sums.noise == 0 ? 0 : std::sqrt(sums.noise / sums.signal);
}

}  // namespace

std::string statistics_group(int64_t layer) {
  return fmt::format("/statistics/block_{:02}", layer);
}

std::string calibration_group(int64_t layer) {
  return fmt::format("/calibration/block_{:02}", layer);
}

double sqnr_db(const at::Tensor& x, const at::Tensor& y) {
  return sqnr_db(compare(x, y));
}

void record_weight_error(Recorder& recorder, int64_t layer, const std::string& linear,
                         const at::Tensor& weight, const at::Tensor& quantized) {
  const std::string group = statistics_group(layer) + "/" + linear;
  const Comparison sums = compare(weight, quantized);
  recorder.attribute(group, "sqnr_db", sqnr_db(sums));
  recorder.attribute(group, "relative_error", std::sqrt(sums.noise / sums.signal));
  recorder.attribute(group, "largest_error", sums.largest);
}

void record_kv_statistics(Recorder& recorder, int64_t layer, const AttentionInputs& sample,
                          const KvCodec& codec) {
  const std::string group = statistics_group(layer);
  const at::Tensor key = codec.key.before_rope() ? sample.key_before_rope : sample.key;
  record_channels(recorder, group + "/key", key, codec.key.fake(key));
  record_channels(recorder, group + "/value", sample.value, codec.value.fake(sample.value));
  if (codec.identity()) return;
  const HeadErrors heads = head_errors(sample, sample, codec);
  recorder.array(group + "/heads", "logit_error", to_array(heads.logits));
  recorder.array(group + "/heads", "output_error", to_array(heads.output));
  if (codec.key.identity()) return;
  recorder.attribute(group + "/key", "logit_error",
                     logit_error(sample.query, sample.key, quantized_key(sample, codec.key)));
}

AttentionErrors attention_errors(const AttentionInputs& full, const AttentionInputs& quantized,
                                 const KvCodec& codec) {
  const at::NoGradGuard no_grad;
  const KvViewOptions view{.mode = ViewMode::kAll};
  return {relative_error(causal_logits(full.query, full.key),
                         causal_logits(quantized.query, quantized_key(quantized, codec.key))),
          relative_error(quantized_attention(full, {}, view),
                         quantized_attention(quantized, codec, view))};
}

HeadErrors head_errors(const AttentionInputs& full, const AttentionInputs& quantized,
                       const KvCodec& codec) {
  const at::NoGradGuard no_grad;
  const KvViewOptions view{.mode = ViewMode::kAll};
  return {relative_by_head(causal_logits(full.query, full.key),
                           causal_logits(quantized.query, quantized_key(quantized, codec.key))),
          relative_by_head(quantized_attention(full, {}, view),
                           quantized_attention(quantized, codec, view))};
}

}  // namespace wkvq
