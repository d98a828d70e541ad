#pragma once

#include "methods/common/learned_method.h"

namespace wkvq {

/// OmniQuant (arXiv 2308.13137): learnable weight clipping and, for activations, a learnable
/// equivalent transformation, trained block by block on the block's own output.
class OmniQuant final : public LearnedMethod {
 public:
  std::string summary() const override;
};

}  // namespace wkvq
