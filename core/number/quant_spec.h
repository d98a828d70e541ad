#pragma once

#include <cstdint>

#include "core/base/options/options.h"
#include "core/number/number_format.h"

namespace wkvq {

/// The affine forms of a quantizer of integers with codes 0..n, n = 2^bits - 1 (form C: two's complement).
///   zero_point (A):  s = (max - min) / n, z = round(-min / s)
///                    q = clamp(round(x / s) + z, 0, n), x' = (q - z) s
///   minimum (B):     s = (max - min) / n                                       (KIVI's form)
///                    q = clamp(round((x - min) / s), 0, n), x' = q s + min
///   symmetric (C):   s = max|x| / (2^(bits-1) - 1)
///                    q = clamp(round(x / s), -2^(bits-1), 2^(bits-1) - 1), x' = q s
///   full_range:      the same with s = max|x| / (2^(bits-1) - 1/2), so that every code is used: the
///                    symmetric grid of llm-compressor and AutoGPTQ
/// Rounding is half to even.
enum class QuantForm { kZeroPoint, kMinimum, kSymmetric, kFullRange };

/// Whether a grid lies around 0: it has neither zero points nor minima.
constexpr bool is_symmetric(QuantForm form) {
  return form == QuantForm::kSymmetric || form == QuantForm::kFullRange;
}

/// Whether the range of a group is widened to hold 0 (GPTQ; zero points then fit `bits` bits) or is
/// raw.
enum class QuantRange { kZeroIncluded, kRaw };

/// The dtype that scales and minima are rounded to; kCompute keeps them as computed.
enum class ScaleDtype { kCompute, kFloat32, kFloat16, kBfloat16 };

/// How one tensor is quantized: a plain value. 16 bits is the identity, bit for bit.
struct QuantSpec {
  int64_t bits = 16;  ///< 2..8, or 16
  int64_t group_size =
      -1;  ///< elements along the last dimension that share a scale; -1: the whole row
  bool per_tensor = false;  ///< one scale for the whole tensor; group_size must be -1
  QuantForm form = QuantForm::kZeroPoint;
  QuantRange range = QuantRange::kZeroIncluded;
  ScaleDtype scale_dtype = ScaleDtype::kCompute;
  FormatId format = FormatId::kInteger;  ///< other formats are symmetric
  /// Largest magnitude of the whole tensor where what is quantized is a part of it, for formats
  /// with a scale of the tensor; 0: of what is quantized.
  double tensor_largest = 0;

  bool operator==(const QuantSpec&) const = default;
  bool identity() const { return bits == 16; }
  /// Highest code of integers: 2^bits - 1, symmetric 2^(bits-1) - 1.
  int64_t max_code() const;

  void visit(OptionVisitor& v);

  /// Stored bits of one element of a row of `width` elements: bits + overhead of scale and zero
  /// point or minimum, which take `compute_bits` each where scale_dtype is kCompute (methods: N +
  /// (bits(s) + bits(z or min)) / g).
  double bits_per_value(int64_t width, int64_t compute_bits) const;
};

/// Rejects at `name` unless bits is 2..8 or 16.
void check_bits(OptionVisitor& v, const char* name, int64_t bits);

const std::vector<std::string>& scale_dtype_names();
const std::vector<std::string>& quant_form_names();

/// A format and the options beside it that it may fix.
struct FormatFields {
  FormatId format;
  QuantForm form;
  ScaleDtype scale_dtype;
  int64_t group_size;
};

/// The fields in force where `read` was read over `before`. Formats other than integers are
/// symmetric, with a block and a type of scale of their own; what was given and does not fit is
/// rejected. Integers over another format take back `defaults` where nothing was given.
FormatFields settle_format(OptionVisitor& v, const FormatFields& read, const FormatFields& before,
                           const FormatFields& defaults);

/// Bits of a stored scale.
int64_t scale_bits(ScaleDtype dtype, int64_t compute_bits);

}  // namespace wkvq
