#include "core/base/checkpoint/memory_model.h"

#include "core/base/checkpoint/model_tensors.h"

namespace wkvq {
namespace {

constexpr double kBitsPerByte = 8;
constexpr int64_t kUnquantizedBits = 16;

void count(const TensorSpec& spec, int64_t times, ParameterCounts& counts) {
  const int64_t elements = times * spec.elements();
  if (spec.role == Role::kEmbedding) {
    counts.embedding += elements;
  } else if (spec.role == Role::kHead) {
    counts.head += elements;
  } else if (spec.is_bias || spec.shape.size() == 1) {
    counts.norms += elements;
  } else if (spec.role <= Role::kOutput) {
    counts.attention += elements;
  } else {
    counts.mlp += elements;
  }
}

}  // namespace

ParameterCounts count_parameters(const ModelConfig& config) {
  ParameterCounts counts;
  for (const TensorSpec& spec : block_tensors(config, 0)) count(spec, config.layers, counts);
  for (const TensorSpec& spec : outer_tensors(config)) count(spec, 1, counts);
  return counts;
}

int64_t kv_elements_per_token(const ModelConfig& config) {
  return 2 * config.layers * config.kv_heads * config.head_dim;
}

double effective_bits(int64_t bits, int64_t group_size, double overhead_bits) {
  if (bits >= kUnquantizedBits) return kUnquantizedBits;
  return static_cast<double>(bits) + overhead_bits / static_cast<double>(group_size);
}

MemoryBytes memory_of(const ModelConfig& config, const MemoryQuestion& question) {
  const ParameterCounts counts = count_parameters(config);
  const auto bytes = [](int64_t elements, double bits) {
    return static_cast<double>(elements) * bits / kBitsPerByte;
  };
  // In double: elements of a large cache need not fit 64 bits.
  const double kv_a_token =
      bytes(kv_elements_per_token(config), 1) * static_cast<double>(question.batch);
  MemoryBytes result;
  result.attention = bytes(counts.attention, question.weight_bits);
  result.mlp = bytes(counts.mlp, question.weight_bits);
  result.norms = bytes(counts.norms, question.other_bits);
  result.embedding = bytes(counts.embedding, question.other_bits);
  result.head = bytes(counts.head, question.other_bits);
  result.kv = kv_a_token * static_cast<double>(question.context) * question.kv_bits;
  result.recent_window =
      kv_a_token * static_cast<double>(question.recent_window) * kUnquantizedBits;
  return result;
}

}  // namespace wkvq
