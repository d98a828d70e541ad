#include "core/kernels/packed_kernels.h"

#include "core/kernels/cpu_isa.h"

namespace wkvq {

namespace {

#define WKVQ_PACKED(isa)                                                      \
  {                                                                           \
#isa, packed_append_##isa, packed_unpack_##isa, packed_attend_##isa,      \
        packed_attend_exact_##isa, packed_multiply_##isa, packed_decode_##isa \
  }

std::vector<PackedKernels> runnable() {
  std::vector<PackedKernels> kernels;
  const CpuIsa best = cpu_isa();
  if (best >= CpuIsa::kAvx512) kernels.push_back(WKVQ_PACKED(avx512));
  if (best >= CpuIsa::kAvx2) kernels.push_back(WKVQ_PACKED(avx2));
  kernels.push_back(WKVQ_PACKED(generic));
  return kernels;
}

}  // namespace

const std::vector<PackedKernels>& packed_kernels() {
  static const std::vector<PackedKernels> kernels = runnable();
  return kernels;
}

}  // namespace wkvq
