// Compiled for its instruction set where the compiler knows it; called only on processors that have
// it.
#define WKVQ_ATTENTION attention_rows_generic
#define WKVQ_ATTENTION_BACKWARD attention_backward_rows_generic
#include "core/kernels/attention_backward_rows.inc"
#include "core/kernels/attention_rows.inc"
