#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/options/options.h"
#include "core/kernels/quant_plan.h"

namespace wkvq {

/// A row of number_formats(): what a code stands for and how its scale is found and stored. A new
/// format of known elements and rules is one row.
struct NumberFormat {
  const char* name;
  int64_t bits;  ///< of a code; 16: no quantization
  Element element{};
  ScaleRule rule = ScaleRule::kLargest;
  int64_t block = 0;        ///< elements that share a scale; 0: any group
  int64_t scale_bits = -1;  ///< of a stored scale; -1: those of scale_dtype
  double tensor_limit = 0;  ///< one more scale for the tensor: its largest magnitude becomes this
  QuantForm form = QuantForm::kSymmetric;         ///< not read of whole_numbers()
  ScaleDtype scale_dtype = ScaleDtype::kCompute;  ///< of scales with a type of their own
  const char* help = "";

  /// Whether the name says no more than `bits`: form and scale are those of the options beside it.
  bool whole_numbers() const {
    return element.kind == ElementKind::kInteger && rule == ScaleRule::kLargest;
  }
};

/// A place in number_formats(). kInteger: whole numbers of as many bits as `bits` says.
enum class FormatId { kInteger };

const std::vector<NumberFormat>& number_formats();
const NumberFormat& number_format(FormatId id);

/// Visits `bits` and `format`. Either is enough: `bits: 4` is the short form of `format: int4`, and
/// written as such; a format brings its bits along. Rejects two that disagree.
void visit_format(OptionVisitor& v, int64_t& bits, FormatId& format);

}  // namespace wkvq
