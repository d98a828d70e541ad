#include "core/kernels/dense_products.h"

#include "core/kernels/cpu_isa.h"

namespace wkvq {

DenseKernel dense_kernel() {
  switch (cpu_isa()) {
    case CpuIsa::kAvx512:
      return dense_multiply_avx512;
    case CpuIsa::kAvx2:
      return dense_multiply_avx2;
    case CpuIsa::kGeneric:
      break;
  }
  return dense_multiply_generic;
}

}  // namespace wkvq
