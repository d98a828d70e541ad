#pragma once

#include <functional>

#include "core/base/checkpoint/process_memory.h"
#include "core/calibrate/method.h"

namespace wkvq {

/// visitor(name, linear, hessian): `hessian` [in, in] is the sum of x x^T over the calibration
/// tokens x that enter the linear, in float64 for float64 models, else in float32.
using HessianVisitor =
    std::function<void(const char* name, Linear& linear, const at::Tensor& hessian)>;

/// Shows the visitor every linear of the block, which it may rewrite, in the sets that share an
/// input: {q, k, v}, {o}, {gate, up}, {down}. Inputs come through the blocks as quantized so far;
/// `sequential`: also through the sets rewritten so far, the block being run again for every set.
void visit_with_hessians(BlockContext& context, bool sequential, const HessianVisitor& visitor);

/// Bytes of that work on a block, at their most: the Hessian of the widest input with the three
/// matrices that gptq_solve makes of it and copies of a weight, or the Hessian and a batch on its
/// way. Without `sequential` the other Hessians are there too.
double gptq_bytes(const ModelConfig& model, const CalibrationSize& size, bool sequential);

}  // namespace wkvq
