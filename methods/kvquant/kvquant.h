#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// KVQuant (Hooper et al., arXiv 2401.18079): keys before RoPE on static ranges per channel, values
/// on each token's own over all heads, codebooks fitted with Fisher weights, 1 % of the elements
/// and the first token kept exactly.
class KvQuant final : public WeightMethod {
 public:
  KvQuant();
  std::string summary() const override;
};

}  // namespace wkvq
