#pragma once

#include <ATen/core/Tensor.h>

#include "core/kernels/quant_plan.h"

namespace wkvq {

/// The elements of `plan` nearest to `levels`, same shape and dtype: what the kernels round to, bit
/// for bit. Not for integers.
at::Tensor nearest_elements(const at::Tensor& levels, const QuantPlan& plan);

/// The stored bytes of elements, and back.
at::Tensor element_codes(const at::Tensor& elements, const QuantPlan& plan);
at::Tensor elements_of(const at::Tensor& codes, const QuantPlan& plan, at::ScalarType dtype);

}  // namespace wkvq
