#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace wkvq {

/// action(0) .. action(count - 1), without gradients. On the CPU a thread takes whole batches where
/// there are enough of them: what runs inside is then serial, keeps to the thread's cache and needs
/// no synchronization. Exceptions reach the caller.
void for_each_batch(size_t count, at::Device device, const std::function<void(size_t)>& action);

}  // namespace wkvq
