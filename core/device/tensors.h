#pragma once

#include <ATen/core/Tensor.h>

#include "core/base/recorder.h"

namespace wkvq {

/// `x` in the dtype that sums and statistics are taken in: float64 stays, all else becomes float32.
at::Tensor widened(const at::Tensor& x);

/// `x` as a run file takes it.
Array to_array(const at::Tensor& x);

}  // namespace wkvq
