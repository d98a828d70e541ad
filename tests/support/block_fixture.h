#pragma once

#include <ATen/ATen.h>

#include "core/attention/masked_attention.h"
#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_node.h"
#include "core/calibrate/method.h"
#include "core/model/model_source.h"
#include "methods/registry.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

namespace wkvq::test {

inline at::Tensor random_tensor(at::IntArrayRef shape, uint64_t seed,
                                at::ScalarType dtype = at::kDouble) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::device(at::kCPU).dtype(at::kDouble)).to(dtype);
}

/// The method that `text` configures, e.g. "{name: gptq, weight: {bits: 4}}".
inline std::unique_ptr<Method> method_of(const std::string& text) {
  const YamlNode node = parse_yaml(text, "method.yaml");
  YamlMap map(node, "method");
  std::unique_ptr<Method> method = make_method(map.take_string("name"));
  map.read(*method);
  map.finish();
  return method;
}

/// A small model (folder relative to the project's root) with calibration text of 4 windows of
/// random tokens.
class BlockFixture {
 public:
  explicit BlockFixture(const std::filesystem::path& model, at::ScalarType dtype = at::kDouble,
                        int64_t length = 24)
      : source_(std::make_shared<const Checkpoint>(source(model)),
                {.dtype = dtype, .resident_bytes = int64_t{1} << 30}),
        chain_(source_, random_tokens(length), int64_t{1} << 30) {}

  ModelSource& model() { return source_; }
  CalibrationChain& chain() { return chain_; }
  MemoryRecorder& recorder() { return recorder_; }
  const std::vector<at::Tensor>& inputs(int64_t layer) { return chain_.entering(layer); }

  /// Block `layer` after `method`, whose calibration text went through full-precision blocks.
  QuantizedBlock calibrated(Method& method, int64_t layer) {
    method.check(source_.config());
    QuantizedBlock block{source_.block(layer), {}};
    calibrate(method, layer, block);
    return block;
  }

  /// Lets the method work on a block that differs from the model's.
  void calibrate(Method& method, int64_t layer, QuantizedBlock& block) {
    BlockContext at_layer = context(layer, block);
    method.calibrate(at_layer, recorder_);
  }

  BlockContext context(int64_t layer, QuantizedBlock& block) {
    return {.source = source_,
            .model = source_.config(),
            .rope = source_.rope(),
            .layer = layer,
            .block = block,
            .full = &chain_,
            .quantized = nullptr,
            .learned = nullptr};
  }

  QuantizedBlock calibrated(const std::string& method, int64_t layer) {
    return calibrated(*method_of(method), layer);
  }

  /// What `weights` make of `hidden`, the cache in full precision.
  at::Tensor output(const BlockWeights& weights, int64_t layer, const at::Tensor& hidden) {
    return forward_block(source_.config(), layer, weights, source_.rope(), hidden, 0,
                         [](const AttentionInputs& in) {
                           return full_attention(in.query, in.key, in.value, in.sliding_window);
                         });
  }

  /// |block(x) - original(x)| / |original(x) - x| (Frobenius) over the calibration text.
  double output_error(const BlockWeights& weights, int64_t layer) {
    double error = 0, signal = 0;
    for (const at::Tensor& hidden : inputs(layer)) {
      const at::Tensor exact = output(source_.block(layer), layer, hidden);
      error += (output(weights, layer, hidden) - exact).square().sum().item<double>();
      signal += (exact - hidden).square().sum().item<double>();
    }
    return std::sqrt(error / signal);
  }

  /// Block 0 as trained models have it: one channel of the post norm 50 times the others, read by
  /// weights as much smaller.
  QuantizedBlock with_outlier() {
    QuantizedBlock block{source_.block(0), {}};
    block.weights.post_norm = block.weights.post_norm.clone();
    block.weights.post_norm[3].mul_(50);
    for (Linear* linear : {&block.weights.gate, &block.weights.up}) {
      linear->weight = linear->weight.clone();
      linear->weight.select(1, 3).div_(50);
    }
    return block;
  }

 private:
  std::vector<at::Tensor> random_tokens(int64_t length) const {
    const int64_t vocab = source_.config().vocab_size;
    std::vector<at::Tensor> batches;
    for (uint64_t i = 0; i < 2; ++i) {
      const at::Generator generator = at::detail::createCPUGenerator(100 + i);
      batches.push_back(at::randint(vocab, {2, length}, generator, at::kLong));
    }
    return batches;
  }

  ModelSource source_;
  CalibrationChain chain_;
  MemoryRecorder recorder_;
};

}  // namespace wkvq::test
