#include "experiments/score/cost.h"

#include <array>

#include "core/base/files/heap.h"
#include "core/device/torch_headers.h"
#include "experiments/session/session.h"

namespace wkvq {

namespace {

double elements_of(const ModelConfig& model, const LinearSpec& linear) {
  return static_cast<double>(output_size(model, linear.role) * input_size(model, linear.input));
}

}  // namespace

StoredBits stored_bits(const Method& method, int64_t layer, const ModelConfig& model,
                       int64_t compute_bits) {
  double bits = 0;
  for (const LinearSpec& linear : kLinears)
    bits += elements_of(model, linear) *
            method.weight_bits(layer, linear.name, input_size(model, linear.input), compute_bits);
  const KvOptions kv = method.kv_of(layer, model);
  return {.weight = bits / static_cast<double>(weight_elements(model)),
          .key = KvTensorCodec::stored_bits(kv.key, model, compute_bits),
          .value = KvTensorCodec::stored_bits(kv.value, model, compute_bits)};
}

int64_t weight_elements(const ModelConfig& model) {
  double elements = 0;
  for (const LinearSpec& linear : kLinears) elements += elements_of(model, linear);
  return static_cast<int64_t>(elements);
}

int64_t compute_bits(const RunConfig& config) {
  return static_cast<int64_t>(c10::elementSize(torch_dtype(config.model.dtype))) * 8;
}

void record_cost(Recorder& recorder, const RunConfig& config, const Checkpoint& checkpoint) {
  const ModelConfig& m = checkpoint.config();
  const int64_t wide = compute_bits(config);
  StoredBits sum;
  for (int64_t layer = 0; layer < m.layers; ++layer) {
    const StoredBits here = stored_bits(*config.method, layer, m, wide);
    sum.weight += here.weight;
    sum.key += here.key;
    sum.value += here.value;
  }
  const double layers = static_cast<double>(m.layers);
  const double cached = static_cast<double>(m.max_positions * m.kv_heads * m.head_dim);
  const double tables =
      static_cast<double>(m.vocab_size * m.hidden_size * (m.tie_embeddings ? 1 : 2));
  recorder.attribute("/cost", "peak_bytes_host", peak_resident_bytes());
  recorder.attribute("/cost", "stored_bits_per_weight", sum.weight / layers);
  recorder.attribute("/cost", "stored_bits_per_key", sum.key / layers);
  recorder.attribute("/cost", "stored_bits_per_value", sum.value / layers);
  recorder.attribute("/cost", "bytes_linears",
                     static_cast<double>(weight_elements(m)) * sum.weight / 8);
  recorder.attribute("/cost", "bytes_embeddings", tables * static_cast<double>(wide) / 8);
  recorder.attribute("/cost", "bytes_kv_cache", cached * (sum.key + sum.value) / 8);
}

}  // namespace wkvq
