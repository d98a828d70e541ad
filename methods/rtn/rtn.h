#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// Round to nearest: every linear weight on its own grid, keys and values by the codec, nothing
/// learned.
class Rtn final : public WeightMethod {
 public:
  std::string summary() const override;
};

}  // namespace wkvq
