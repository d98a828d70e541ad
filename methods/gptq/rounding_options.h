#pragma once

#include "methods/gptq/gptq_solver.h"

namespace wkvq {

enum class Rounding { kNearest, kGptq };

/// `rounding: nearest | gptq` and `gptq: {...}` of methods that round either way.
struct RoundingOptions {
  Rounding kind = Rounding::kNearest;
  GptqOptions solver;
  bool true_sequential = true;

  void visit(OptionVisitor& v);
};

}  // namespace wkvq
