#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kernels/quant_plan.h"

namespace wkvq {

// Elements other than integers, as tensors: what the kernels do, bit for bit.

/// What every code stands for, by code.
std::vector<double> element_values(const Element& element);

/// The elements nearest to `levels`, same shape and dtype.
at::Tensor nearest_elements(const at::Tensor& levels, const QuantPlan& plan);

/// The stored bytes of elements, and back.
at::Tensor element_codes(const at::Tensor& elements, const QuantPlan& plan);
at::Tensor elements_of(const at::Tensor& codes, const QuantPlan& plan, at::ScalarType dtype);

}  // namespace wkvq
