#pragma once

#include "core/base/checkpoint/process_memory.h"

namespace wkvq {

/// Beside Method, for methods that hold more than a block while they work on it.
class PlansMemory {
 public:
  virtual ~PlansMemory() = default;
  /// What Method::calibrate holds at most, for plans.
  virtual MethodMemory calibration_memory(const ModelConfig& model,
                                          const CalibrationSize& size) const = 0;
};

}  // namespace wkvq
