#pragma once

#include <functional>
#include <string>

#include "core/calibrate/method.h"

namespace wkvq {

/// visitor(linear, x): the input x [tokens, in] of a linear (LinearSpec::name) for one batch.
using InputVisitor = std::function<void(const std::string& linear, const at::Tensor& x)>;

/// Carries `inputs` through a block of `weights` whose cache is in full precision and shows the
/// visitor what enters each linear, in the order of the block. Without gradients.
void observe_inputs(const BlockContext& context, BlockWeights weights,
                    const std::vector<at::Tensor>& inputs, const InputVisitor& visitor);

/// The largest magnitude of every input of each linear, [in], seen that way.
std::map<std::string, at::Tensor> largest_inputs(const BlockContext& context,
                                                 const BlockWeights& weights,
                                                 const std::vector<at::Tensor>& inputs);

}  // namespace wkvq
