#define WKVQ_ROWS quantize_rows_generic
#include "core/kernels/quantize_rows.inc"
