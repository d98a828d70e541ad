#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>

#include "core/base/checkpoint/model_config.h"
#include "core/kv/kv_codec.h"
#include "experiments/bench/bench.h"

namespace wkvq {

/// Random normal numbers on the device of the benchmark.
at::Tensor randn(const BenchOptions& options, at::IntArrayRef shape);

/// The library's fastest half precision where `x` is, and its name in tables.
std::pair<at::ScalarType, std::string> half_of(const at::Tensor& x);

/// Token-wise codes in groups of options.group with float16 scales, behind a static channel shift
/// and scale.
KvCodec codec_of(const BenchOptions& options, const ModelConfig& shapes, int64_t bits);

/// Attention of a whole text under mode past, beside the library's causal attention.
BenchCase attention_case(const BenchOptions& options, const ModelConfig& shapes, int64_t context,
                         int64_t batch, int64_t bits);

/// Fused fake quantization of a weight [out, in], beside single tensor operations.
BenchCase fake_quant_case(const BenchOptions& options, std::pair<int64_t, int64_t> shape,
                          int64_t bits, bool backward);

}  // namespace wkvq
