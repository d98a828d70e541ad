#pragma once

#include "methods/common/learned_method.h"

namespace wkvq {

/// WKVQuant (arXiv 2402.12065): past-only quantization, a cache quantized in two dimensions
/// (learned static channels, dynamic token-wise groups) and learned weight clipping, trained
/// together under cross-block reconstruction regularization. What the paper leaves open is our
/// choice (docs/design.md).
class WkvQuant final : public LearnedMethod {
 public:
  WkvQuant();
  std::string summary() const override;
};

}  // namespace wkvq
