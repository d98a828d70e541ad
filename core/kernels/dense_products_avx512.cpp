// Compiled for its instruction set where the compiler knows it; called only on processors that have
// it.
#define WKVQ_ISA avx512
#include "core/kernels/dense_products.inc"
