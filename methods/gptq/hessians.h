#pragma once

#include <functional>

#include "core/base/checkpoint/process_memory.h"
#include "core/calibrate/method.h"
#include "methods/gptq/gptq_solver.h"

namespace wkvq {

/// visitor(name, linear, moments): sums over the calibration tokens that enter the linear, in
/// float64 for float64 models, else in float32.
using HessianVisitor =
    std::function<void(const char* name, Linear& linear, const InputMoments& moments)>;

/// How inputs are seen: with `sequential` also through the sets of linears rewritten so far, the
/// block being run again for every set. `alpha` above 0: also their deviations from full precision.
struct HessianOptions {
  bool sequential = true;
  double alpha = 0;
};

/// Shows the visitor every linear of the block, which it may rewrite, in the sets that share an
/// input: {q, k, v}, {o}, {gate, up}, {down}. Inputs come through the blocks as quantized so far.
/// Deviations need both calibration chains, and a block that enters in full precision.
void visit_with_hessians(BlockContext& context, const HessianOptions& options,
                         const HessianVisitor& visitor);

/// Bytes of that work on a block, at their most: the Hessian of the widest input with the three
/// matrices that gptq_solve makes of it and copies of a weight, or the Hessian and a batch on its
/// way. Without `sequential` the other Hessians are there too; deviations take a matrix beside each
/// and another one in the solver.
double gptq_bytes(const ModelConfig& model, const CalibrationSize& size,
                  const HessianOptions& options);

}  // namespace wkvq
