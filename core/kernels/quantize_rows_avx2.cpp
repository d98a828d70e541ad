// Compiled with -mavx2 where the compiler knows it; called only on processors that have it.
#define WKVQ_ROWS quantize_rows_avx2
#include "core/kernels/quantize_rows.inc"
