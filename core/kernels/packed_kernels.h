#pragma once

#include <cstdint>
#include <vector>

namespace wkvq {

struct DecodeSpan;
struct ExactSpan;
struct KvAppend;
struct KvPart;
struct PackedProduct;

/// The kernels of one instruction set.
struct PackedKernels {
  const char* name;
  /// Smooth, quantize, pack; the arithmetic of KvTensorCodec::fake. False where x is not finite.
  bool (*append)(const KvAppend&);
  /// What the codes of a token stand for, before channels: out [dim].
  void (*unpack)(const KvPart& part, int64_t slot, float* out);
  void (*attend)(const DecodeSpan&);
  void (*attend_exact)(const ExactSpan&);
  /// Panels [begin, end).
  void (*multiply)(const PackedProduct&, int64_t begin, int64_t end);
  /// Decoded rows of panels [begin, end) of product.format: out [(end - begin) * 16, in].
  void (*decode)(const PackedProduct&, int64_t begin, int64_t end, float* out);
};

/// The kernels that this processor can run, the best first.
const std::vector<PackedKernels>& packed_kernels();

// One plain function an instruction set; no libtorch here, so that code compiled for one of them
// cannot leak into other translation units.
#define WKVQ_DECLARE_PACKED(isa)                                      \
  bool packed_append_##isa(const KvAppend&);                          \
  void packed_unpack_##isa(const KvPart&, int64_t, float*);           \
  void packed_attend_##isa(const DecodeSpan&);                        \
  void packed_attend_exact_##isa(const ExactSpan&);                   \
  void packed_multiply_##isa(const PackedProduct&, int64_t, int64_t); \
  void packed_decode_##isa(const PackedProduct&, int64_t, int64_t, float*);
WKVQ_DECLARE_PACKED(generic)
WKVQ_DECLARE_PACKED(avx2)
WKVQ_DECLARE_PACKED(avx512)
#undef WKVQ_DECLARE_PACKED

}  // namespace wkvq
