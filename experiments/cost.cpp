#include "experiments/cost.h"

#include <sys/resource.h>

#include <utility>

#include "core/torch_headers.h"
#include "experiments/session.h"

namespace wkvq {

namespace {

int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux counts kibibytes
}

}  // namespace

void record_cost(Recorder& recorder, const RunConfig& config, const Checkpoint& checkpoint) {
  const ModelConfig& m = checkpoint.config();
  const auto compute_bits =
      static_cast<int64_t>(c10::elementSize(torch_dtype(config.model.dtype))) * 8;
  const int64_t queries = m.heads * m.head_dim, keys = m.kv_heads * m.head_dim;
  // {outputs, inputs} of q, k, v, o, gate, up, down
  const std::vector<std::pair<int64_t, int64_t>> linears{{queries, m.hidden_size},
                                                         {keys, m.hidden_size},
                                                         {keys, m.hidden_size},
                                                         {m.hidden_size, queries},
                                                         {m.intermediate_size, m.hidden_size},
                                                         {m.intermediate_size, m.hidden_size},
                                                         {m.hidden_size, m.intermediate_size}};
  double weights = 0, weight_bits = 0;
  for (const auto& [outputs, inputs] : linears) {
    const double count = static_cast<double>(outputs * inputs);
    weights += count;
    weight_bits += count * config.method->weight_bits(inputs, compute_bits);
  }
  const KvOptions& kv = config.method->kv();
  const double key_bits = KvTensorCodec::stored_bits(kv.key, m, compute_bits);
  const double value_bits = KvTensorCodec::stored_bits(kv.value, m, compute_bits);
  const double layers = static_cast<double>(m.layers);
  const double cached = layers * static_cast<double>(m.max_positions * keys);
  const double tables =
      static_cast<double>(m.vocab_size * m.hidden_size * (m.tie_embeddings ? 1 : 2));
  recorder.attribute("/cost", "peak_bytes_host", peak_bytes());
  recorder.attribute("/cost", "stored_bits_per_weight", weight_bits / weights);
  recorder.attribute("/cost", "stored_bits_per_key", key_bits);
  recorder.attribute("/cost", "stored_bits_per_value", value_bits);
  recorder.attribute("/cost", "bytes_linears", layers * weight_bits / 8);
  recorder.attribute("/cost", "bytes_embeddings", tables * static_cast<double>(compute_bits) / 8);
  recorder.attribute("/cost", "bytes_kv_cache", cached * (key_bits + value_bits) / 8);
}

}  // namespace wkvq
