#include "core/model/model_source.h"

#include <utility>

#include "core/base/checkpoint/model_tensors.h"

namespace wkvq {
namespace {

/// Where a block keeps the weight of `role`.
at::Tensor& slot(BlockWeights& block, const TensorSpec& spec) {
  const auto part = [&](Linear& linear) -> at::Tensor& {
    return spec.is_bias ? linear.bias : linear.weight;
  };
  switch (spec.role) {
    case Role::kQuery:
      return part(block.query);
    case Role::kKey:
      return part(block.key);
    case Role::kValue:
      return part(block.value);
    case Role::kOutput:
      return part(block.output);
    case Role::kGate:
      return part(block.gate);
    case Role::kUp:
      return part(block.up);
    case Role::kDown:
      return part(block.down);
    case Role::kInputNorm:
      return block.input_norm;
    case Role::kPostNorm:
      return block.post_norm;
    case Role::kQueryNorm:
      return block.query_norm;
    case Role::kKeyNorm:
      return block.key_norm;
    case Role::kEmbedding:
    case Role::kFinalNorm:
    case Role::kHead:
      break;
  }
  TORCH_CHECK(false, "tensor ", spec.name, " is not part of a block");
}

int64_t converted_bytes(const ModelConfig& config, at::ScalarType dtype) {
  int64_t elements = 0;
  for (const TensorSpec& spec : block_tensors(config, 0)) elements += spec.elements();
  elements *= config.layers;
  for (const TensorSpec& spec : outer_tensors(config)) elements += spec.elements();
  return elements * static_cast<int64_t>(c10::elementSize(dtype));
}

}  // namespace

ModelSource::ModelSource(std::shared_ptr<const Checkpoint> checkpoint, SourceOptions options)
    : checkpoint_(std::move(checkpoint)),
      options_(options),
      rope_(checkpoint_->config(), options.dtype, options.device),
      resident_(converted_bytes(config(), options.dtype) <= options.resident_bytes) {
  if (resident_) blocks_.resize(static_cast<size_t>(config().layers));
}

BlockWeights ModelSource::load_block(int64_t layer) const {
  BlockWeights block;
  for (const TensorSpec& spec : block_tensors(config(), layer)) {
    slot(block, spec) = checkpoint_->load(spec.name, spec.shape, options_.dtype, options_.device);
  }
  return block;
}

BlockWeights ModelSource::block(int64_t layer) {
  TORCH_CHECK(layer >= 0 && layer < config().layers, "block ", layer, " of ", config().layers);
  if (resident_) {
    std::optional<BlockWeights>& kept = blocks_[static_cast<size_t>(layer)];
    if (!kept) kept = load_block(layer);
    return *kept;
  }
  if (layer == last_layer_) return last_;
  last_ = {};
  // A read-ahead of another block is finished first: two loads at once would need a third block.
  const bool ahead = next_.valid() && next_layer_ == layer;
  if (next_.valid() && !ahead) next_.wait();
  last_ = ahead ? next_.get() : load_block(layer);
  last_layer_ = layer;
  next_ = {};
  if (layer + 1 < config().layers) {
    next_layer_ = layer + 1;
    next_ = std::async(std::launch::async, [this, layer] { return load_block(layer + 1); });
  }
  return last_;
}

at::Tensor ModelSource::embedding() {
  const TensorSpec spec = outer_tensors(config()).front();
  return checkpoint_->load(spec.name, spec.shape, options_.dtype, options_.device);
}

at::Tensor ModelSource::embed(const at::Tensor& tokens) const {
  TORCH_CHECK(tokens.numel() == 0 || (tokens.min().item<int64_t>() >= 0 &&
                                      tokens.max().item<int64_t>() < config().vocab_size),
              "embed: token ids outside the vocabulary of ", config().vocab_size);
  const TensorSpec spec = outer_tensors(config()).front();
  return checkpoint_->load_rows(spec.name, tokens, options_.dtype, options_.device);
}

Head ModelSource::head() {
  if (head_) return *head_;
  // The table of a large vocabulary takes as much as a block: not both at once.
  last_ = {};
  last_layer_ = -1;
  const std::vector<TensorSpec> specs = outer_tensors(config());
  const auto load = [&](const TensorSpec& spec) {
    return checkpoint_->load(spec.name, spec.shape, options_.dtype, options_.device);
  };
  // A tied head is the embedding table, which stands first; an own head stands last.
  const TensorSpec& weight = config().tie_embeddings ? specs.front() : specs.back();
  Head head(load(specs[1]), load(weight), config().norm_eps);
  if (resident_) head_ = head;
  return head;
}

at::Tensor ModelSource::rest(const at::Tensor& hidden) const {
  if (!options_.activations_on_host || hidden.is_cpu()) return hidden;
  const at::Tensor host =
      at::empty(hidden.sizes(), hidden.options().device(at::kCPU).pinned_memory(true));
  return host.copy_(hidden);
}

}  // namespace wkvq
