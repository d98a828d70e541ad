#pragma once

#include <cstdint>

#include "core/base/options/options.h"
#include "core/number/number_format.h"

namespace wkvq {

/// Whether the range of a group is widened to hold 0 (GPTQ; zero points then fit `bits` bits) or is
/// raw.
enum class QuantRange { kZeroIncluded, kRaw };

/// How one tensor is quantized: a plain value. 16 bits is the identity, bit for bit.
struct QuantSpec {
  int64_t bits = 16;  ///< 2..8, or 16
  int64_t group_size =
      -1;  ///< elements along the last dimension that share a scale; -1: the whole row
  bool per_tensor = false;  ///< one scale for the whole tensor; group_size must be -1
  QuantForm form = QuantForm::kZeroPoint;
  QuantRange range = QuantRange::kZeroIncluded;
  ScaleDtype scale_dtype = ScaleDtype::kCompute;
  FormatId format = FormatId::kInteger;  ///< others have a form of their own
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
/// Those of weights and activations, whose ranges may be clipped: all but mean.
const std::vector<std::string>& range_form_names();

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

/// `fields` in another format: its form, and its block and type of scale where it has its own.
FormatFields in_format(FormatFields fields, FormatId format);

/// Bits of a stored scale.
int64_t scale_bits(ScaleDtype dtype, int64_t compute_bits);

}  // namespace wkvq
