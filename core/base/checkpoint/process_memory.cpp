#include "core/base/checkpoint/process_memory.h"

#include <algorithm>

#include "core/base/checkpoint/model_tensors.h"

namespace wkvq {
namespace {

// Codes before they are packed.
constexpr double kCodeBytes = 1;
// Statistics compare 2^18 elements at a time, in four float64 copies.
constexpr double kStatisticsBytes = 4 * 8 * (1 << 18);
// A tokenizer's tables beside the size of the file they come from.
constexpr double kTokenizerCopies = 12;

double head_elements(const ModelConfig& config) {
  return static_cast<double>((config.vocab_size + 1) * config.hidden_size);
}

/// Of full precision blocks that a streaming source and a method that looks ahead hold together:
/// the one at hand and the next. Looking ahead: those that follow, and once again the one that the
/// full-precision chain goes through and the one read ahead for it.
double streamed_blocks(const ModelConfig& config, int64_t following) {
  const int64_t held = following > 0 ? following + 3 : 2;
  return static_cast<double>(std::min(held, config.layers + (following > 0 ? 2 : 0)));
}

}  // namespace

int64_t block_elements(const ModelConfig& config) {
  int64_t elements = 0;
  for (const TensorSpec& spec : block_tensors(config, 0)) elements += spec.elements();
  return elements;
}

int64_t largest_block_tensor(const ModelConfig& config) {
  int64_t largest = 0;
  for (const TensorSpec& spec : block_tensors(config, 0))
    largest = std::max(largest, spec.elements());
  return largest;
}

double activation_bytes(const ModelConfig& config, double element_bytes) {
  const int64_t queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  // Entering, normed twice, middle, update, leaving; queries, attention's result twice; keys before
  // and after RoPE, values, both quantized; gate, up and their product.
  const int64_t values =
      6 * config.hidden_size + 3 * queries + 5 * keys + 3 * config.intermediate_size;
  return element_bytes * static_cast<double>(values);
}

double ProcessBytes::peak() const {
  return libraries + weights + streams + std::max({quantizing, scoring, writing});
}

ProcessBytes process_memory(const ModelConfig& config, const ProcessQuestion& question) {
  const double width = question.element_bytes;
  const auto elements = static_cast<double>(block_elements(config));
  const auto layers = static_cast<double>(config.layers);
  const double block = elements * width, head = head_elements(config) * width;
  ProcessBytes bytes{.libraries = kLibraryBytes + kTokenizerCopies * question.tokenizer_bytes};

  const bool copies = question.rewrites || !question.resident;  // kept blocks are not the loaded
  if (question.resident) bytes.weights += layers * block + head;
  if (question.keeps_blocks && copies) bytes.weights += layers * block;
  if (question.packed_bits > 0) bytes.weights += layers * elements * question.packed_bits / 8;
  bytes.streams = question.stream_tokens * static_cast<double>(config.hidden_size) * width;

  const double activations = question.tokens_at_once * activation_bytes(config, width);
  if (!question.resident)
    bytes.quantizing += block * streamed_blocks(config, question.method.following_blocks);
  // The rewritten block; where blocks are kept it is the last of them.
  if (question.rewrites && !question.keeps_blocks) bytes.quantizing += block;
  if (question.packed_bits > 0) bytes.quantizing += elements * kCodeBytes;
  const double file_pages =
      static_cast<double>(largest_block_tensor(config)) * question.stored_bytes;
  // Statistics are taken when the method is done with a weight, streams go on when it is done.
  bytes.quantizing += file_pages + std::max(activations, question.method.bytes + kStatisticsBytes);

  const double own_head = question.resident ? 0 : head;
  const double head_pages = head_elements(config) * question.stored_bytes;
  bytes.scoring = own_head + std::max(head_pages, question.logit_values * std::max(width, 4.0));
  if (question.cache_bytes > 0)
    bytes.writing = own_head + question.cache_bytes +
                    std::max({head_pages, activations, 8 * question.written_values});
  return bytes;
}

}  // namespace wkvq
