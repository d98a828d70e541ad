#include "experiments/score/cost.h"

#include <array>

#include "core/base/files/heap.h"
#include "core/device/torch_headers.h"
#include "experiments/session/session.h"

namespace wkvq {

namespace {

struct Shape {
  int64_t outputs, inputs;
};

/// In the order of kLinearNames.
std::array<Shape, kLinearNames.size()> linear_shapes(const ModelConfig& m) {
  const int64_t queries = m.heads * m.head_dim, keys = m.kv_heads * m.head_dim;
  return {{{queries, m.hidden_size},
           {keys, m.hidden_size},
           {keys, m.hidden_size},
           {m.hidden_size, queries},
           {m.intermediate_size, m.hidden_size},
           {m.intermediate_size, m.hidden_size},
           {m.hidden_size, m.intermediate_size}}};
}

}  // namespace

StoredBits stored_bits(const Method& method, int64_t layer, const ModelConfig& model,
                       int64_t compute_bits) {
  double bits = 0;
  const auto shapes = linear_shapes(model);
  for (size_t i = 0; i < shapes.size(); ++i)
    bits += static_cast<double>(shapes[i].outputs * shapes[i].inputs) *
            method.weight_bits(layer, kLinearNames[i], shapes[i].inputs, compute_bits);
  const KvOptions kv = method.kv_of(layer);
  return {.weight = bits / static_cast<double>(weight_elements(model)),
          .key = KvTensorCodec::stored_bits(kv.key, model, compute_bits),
          .value = KvTensorCodec::stored_bits(kv.value, model, compute_bits)};
}

int64_t weight_elements(const ModelConfig& model) {
  int64_t elements = 0;
  for (const Shape& shape : linear_shapes(model)) elements += shape.outputs * shape.inputs;
  return elements;
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
