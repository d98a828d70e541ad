#include "core/statistics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/torch_headers.h"

namespace wkvq {

namespace {

Array to_array(const at::Tensor& x) {
  const at::Tensor y = x.to(at::kCPU, at::kDouble).contiguous();
  const double* data = y.const_data_ptr<double>();
  return {{y.sizes().begin(), y.sizes().end()}, {data, data + y.numel()}};
}

void record_channels(Recorder& recorder, const std::string& group, const at::Tensor& x,
                     const KvTensorCodec& codec) {
  // [kv_heads, head_dim, tokens]
  const at::Tensor channels = x.to(at::kDouble).permute({1, 3, 0, 2}).flatten(2);
  recorder.array(group, "min", to_array(channels.amin(-1)));
  recorder.array(group, "max", to_array(channels.amax(-1)));
  recorder.array(group, "mean", to_array(channels.mean(-1)));
  recorder.array(group, "std", to_array(channels.std(-1, /*unbiased=*/false)));
  recorder.attribute(group, "tokens", channels.size(-1));
  if (!codec.identity()) recorder.attribute(group, "sqnr_db", sqnr_db(x, codec.fake(x)));
}

double logit_error(const at::Tensor& query, const at::Tensor& key, const KvTensorCodec& codec) {
  const at::Tensor error = (codec.fake(key) - key).to(at::kDouble);
  const int64_t repeat = query.size(1) / key.size(1), seq = query.size(2);
  const at::Tensor logits =
      at::matmul(query.to(at::kDouble), error.repeat_interleave(repeat, 1).transpose(-1, -2))
          .tril();
  const double pairs = static_cast<double>(query.size(0) * query.size(1) * seq * (seq + 1)) / 2;
  return std::sqrt(logits.square().sum().item<double>() / pairs /
                   static_cast<double>(query.size(3)));
}

}  // namespace

std::string statistics_group(int64_t layer) {
  return fmt::format("/statistics/block_{:02}", layer);
}

double sqnr_db(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor signal = x.to(at::kDouble);
  const double noise = (signal - y.to(at::kDouble)).square().sum().item<double>();
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal.square().sum().item<double>() / noise);
}

void record_weight_error(Recorder& recorder, int64_t layer, const std::string& linear,
                         const at::Tensor& weight, const at::Tensor& quantized) {
  const std::string group = statistics_group(layer) + "/" + linear;
  const at::Tensor exact = weight.to(at::kDouble), error = quantized.to(at::kDouble) - exact;
  recorder.attribute(group, "sqnr_db", sqnr_db(weight, quantized));
  recorder.attribute(
      group, "relative_error",
      std::sqrt(error.square().sum().item<double>() / exact.square().sum().item<double>()));
  recorder.attribute(group, "largest_error", error.abs().max().item<double>());
}

void record_kv_statistics(Recorder& recorder, int64_t layer, const at::Tensor& query,
                          const at::Tensor& key, const at::Tensor& value, const KvCodec& codec) {
  const std::string group = statistics_group(layer);
  record_channels(recorder, group + "/key", key, codec.key);
  record_channels(recorder, group + "/value", value, codec.value);
  if (!codec.key.identity())
    recorder.attribute(group + "/key", "logit_error", logit_error(query, key, codec.key));
}

}  // namespace wkvq
