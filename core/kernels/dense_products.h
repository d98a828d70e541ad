#pragma once

#include <cstdint>

namespace wkvq {

/// y = x W^T with a weight in float32.
struct DenseProduct {
  const float* weight;  ///< [out, in]
  int64_t in;
  const float* x;  ///< row r at r * x_stride
  int64_t x_stride, rows;
  float* y;  ///< likewise
  int64_t y_stride;
};

/// Outputs [begin, end) of all rows. The sum of an output has the same order whatever else is
/// computed beside it.
using DenseKernel = void (*)(const DenseProduct&, int64_t begin, int64_t end);

/// That of the best instruction set that this processor runs.
DenseKernel dense_kernel();

void dense_multiply_generic(const DenseProduct&, int64_t begin, int64_t end);
void dense_multiply_avx2(const DenseProduct&, int64_t begin, int64_t end);
void dense_multiply_avx512(const DenseProduct&, int64_t begin, int64_t end);

}  // namespace wkvq
