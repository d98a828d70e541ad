#pragma once

#include "core/kernels/quant_plan.h"

namespace wkvq {

// One plain function an instruction set: quantizes rows [begin, end). No libtorch here, so that
// code compiled for AVX2 cannot leak into other translation units.
template <class T>
void quantize_rows_generic(const QuantBuffers<T>& buffers, const QuantPlan& plan, int64_t begin,
                           int64_t end);
template <class T>
void quantize_rows_avx2(const QuantBuffers<T>& buffers, const QuantPlan& plan, int64_t begin,
                        int64_t end);

}  // namespace wkvq
