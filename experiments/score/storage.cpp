#include "experiments/score/storage.h"

#include "core/base/checkpoint/memory_model.h"
#include "core/base/error.h"
#include "experiments/score/cost.h"

namespace wkvq {

void check_packed_storage(const RunConfig& config, const KvViewOptions& view,
                          const ModelConfig& model) {
  if (config.model.dtype == ModelDtype::kFloat64)
    config_error(
        "packed storage: dtype float64 is not supported; expected float32, bfloat16 or float16");
  config.method->check_packable(model);
  for (int64_t layer = 0; layer < model.layers; ++layer)
    check_packable(config.method->kv_of(layer, model), view, model.head_dim);
}

double weight_formula_bytes(const RunConfig& config, const ModelConfig& model) {
  const int64_t wide = compute_bits(config);
  const ParameterCounts counts = count_parameters(model);
  const int64_t head = model.tie_embeddings ? counts.embedding : counts.head;
  double bits = static_cast<double>(counts.norms + head) * static_cast<double>(wide);
  for (int64_t layer = 0; layer < model.layers; ++layer)
    bits += static_cast<double>(weight_elements(model)) *
            stored_bits(*config.method, layer, model, wide).weight;
  return bits / 8;
}

CacheBytes cache_bytes(const RunConfig& config, const ModelConfig& model,
                       const std::vector<BlockCache>& caches) {
  const int64_t wide = compute_bits(config);
  const auto width = static_cast<double>(model.kv_heads * model.head_dim) / 8;
  CacheBytes bytes;
  const auto add = [&](double all, int64_t encoded, double each) {
    const auto coded = static_cast<double>(encoded), exact = static_cast<double>(wide);
    bytes.stored += width * (coded * each + (all - coded) * exact);
    bytes.exact += width * all * exact;
  };
  for (size_t i = 0; i < caches.size(); ++i) {
    const StoredBits bits = stored_bits(*config.method, static_cast<int64_t>(i), model, wide);
    std::visit(
        [&](const auto& cache) {
          const auto all = static_cast<double>(cache.tokens());
          add(all, cache.encoded_keys(), bits.key);
          add(all, cache.encoded_values(), bits.value);
          bytes.held += static_cast<double>(cache.held_bytes());
        },
        caches[i]);
  }
  return bytes;
}

}  // namespace wkvq
