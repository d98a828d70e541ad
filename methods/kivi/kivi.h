#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// KIVI (Liu et al., arXiv 2402.02750): a cache of 2 bits without any training, keys in groups of
/// 32 tokens a channel, values a token and head, the newest 128 tokens in full precision.
class Kivi final : public WeightMethod {
 public:
  Kivi();
  std::string summary() const override;
};

}  // namespace wkvq
