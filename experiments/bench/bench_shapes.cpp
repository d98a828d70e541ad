#include "experiments/bench/bench_shapes.h"

#include "core/base/error.h"

namespace wkvq {

namespace {

struct Shapes {
  const char* name;
  int64_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab;
};

// 1b is TinyLlama 1.1B.
constexpr Shapes kShapes[]{{"1b", 2048, 5632, 22, 32, 4, 64, 32000},
                           {"llama-2-7b", 4096, 11008, 32, 32, 32, 128, 32000},
                           {"llama-2-13b", 5120, 13824, 40, 40, 40, 128, 32000},
                           {"llama-3.1-8b", 4096, 14336, 32, 32, 8, 128, 128256}};

}  // namespace

ModelConfig bench_shapes(const std::string& model) {
  std::string names;
  for (const Shapes& s : kShapes) {
    if (model == s.name) {
      ModelConfig config;
      config.family = "llama";
      config.hidden_size = s.hidden;
      config.intermediate_size = s.intermediate;
      config.layers = s.layers;
      config.heads = s.heads;
      config.kv_heads = s.kv_heads;
      config.head_dim = s.head_dim;
      config.vocab_size = s.vocab;
      return config;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", s.name);
  }
  config_error("bench: model '{}' is unknown; expected one of {}", model, names);
}

}  // namespace wkvq
