#pragma once

#include <ATen/ATen.h>

#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "core/model/checkpoint.h"
#include "core/model/transformer.h"

namespace wkvq {

/// How a model is held.
struct SourceOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  /// Blocks stay in memory where all of them, converted, take at most this many bytes; otherwise
  /// each is loaded when asked for and kept until another is, while the next one is read ahead (two
  /// blocks at a time).
  int64_t resident_bytes = 0;
  /// Whether hidden states wait for their next block in memory of the host; see ModelSource::rest.
  bool activations_on_host = false;
};

/// Full-precision parts of a model. Tensors may be shared between calls: replace them, never write
/// into them. For one thread at a time. ConfigError where a value is not finite.
class ModelSource {
 public:
  ModelSource(std::shared_ptr<const Checkpoint> checkpoint, SourceOptions options);

  const ModelConfig& config() const { return checkpoint_->config(); }
  const SourceOptions& options() const { return options_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const Rope& rope() const { return rope_; }
  bool resident() const { return resident_; }

  BlockWeights block(int64_t layer);

  /// The whole table [vocab, hidden].
  at::Tensor embedding();

  /// Embeddings of `tokens` [batch, seq] (an integer type): [batch, seq, hidden]. Converts only the
  /// rows it needs.
  at::Tensor embed(const at::Tensor& tokens) const;

  Head head();

  /// `hidden` as it waits for its next block: as it is, or in pinned memory of the host, from which
  /// forward_block takes it.
  at::Tensor rest(const at::Tensor& hidden) const;

 private:
  BlockWeights load_block(int64_t layer) const;

  std::shared_ptr<const Checkpoint> checkpoint_;
  SourceOptions options_;
  Rope rope_;
  bool resident_;
  std::vector<std::optional<BlockWeights>> blocks_;  ///< resident ones
  std::optional<Head> head_;                         ///< kept where blocks are
  int64_t last_layer_ = -1;                          ///< the one kept of a streaming model
  BlockWeights last_;
  int64_t next_layer_ = -1;
  std::future<BlockWeights> next_;
};

}  // namespace wkvq
