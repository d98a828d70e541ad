#include "core/number/quant_spec.h"

#include <fmt/format.h>

#include "core/number/quant_form_help.h"

namespace wkvq {

int64_t QuantSpec::max_code() const {
  const bool has_sign = is_symmetric(form) || form == QuantForm::kMean;
  const int64_t magnitude_bits = has_sign ? bits - 1 : bits;
  return (int64_t{1} << magnitude_bits) - 1;
}

void check_bits(OptionVisitor& v, const char* name, int64_t bits) {
  if ((bits < 2 || bits > 8) && bits != 16)
    v.reject(name, fmt::format("{} bits; expected 2 to 8, or 16 for no quantization", bits));
}

const std::vector<std::string>& scale_dtype_names() {
  static const std::vector<std::string> names{"compute", "float32", "float16", "bfloat16"};
  return names;
}

const std::vector<std::string>& quant_form_names() {
  static const std::vector<std::string> names{"zero_point", "minimum", "symmetric", "full_range",
                                              "mean"};
  return names;
}

const std::vector<std::string>& range_form_names() {
  static const std::vector<std::string> names(quant_form_names().begin(),
                                              quant_form_names().end() - 1);
  return names;
}

FormatFields settle_format(OptionVisitor& v, const FormatFields& read, const FormatFields& before,
                           const FormatFields& defaults) {
  if (v.purpose() != OptionVisitor::Purpose::kRead) return read;
  FormatFields settled = read;
  if (read.format == FormatId::kInteger) {
    if (before.format == FormatId::kInteger) return read;
    if (read.form == before.form) settled.form = defaults.form;
    if (read.group_size == before.group_size && number_format(before.format).block > 0)
      settled.group_size = defaults.group_size;
    return settled;
  }
  const NumberFormat& row = number_format(read.format);
  const auto name_of = [](QuantForm form) { return quant_form_names()[static_cast<size_t>(form)]; };
  if (read.form != before.form && read.form != row.form)
    v.reject("form", fmt::format("{} of format {}, which is {}; expected none", name_of(read.form),
                                 row.name, name_of(row.form)));
  settled.form = row.form;
  // What a method or a level above has for whole numbers gives way.
  if (row.scale_bits >= 0) settled.scale_dtype = ScaleDtype::kCompute;
  if (row.scale_bits >= 0 && read.scale_dtype != before.scale_dtype &&
      read.scale_dtype != ScaleDtype::kCompute)
    v.reject("scale_dtype",
             fmt::format("{} of format {}, whose scales have a type of their own; expected none",
                         scale_dtype_names()[static_cast<size_t>(read.scale_dtype)], row.name));
  if (row.block == 0) return settled;
  if (read.group_size != before.group_size && read.group_size != row.block)
    v.reject("group_size", fmt::format("{} of format {}, whose blocks have {}; expected none",
                                       read.group_size, row.name, row.block));
  settled.group_size = row.block;
  return settled;
}

FormatFields in_format(FormatFields fields, FormatId format) {
  const NumberFormat& row = number_format(format);
  fields.format = format;
  if (row.whole_numbers()) return fields;
  fields.form = row.form;
  if (row.block > 0) fields.group_size = row.block;
  if (row.scale_bits >= 0) fields.scale_dtype = ScaleDtype::kCompute;
  return fields;
}

void QuantSpec::visit(OptionVisitor& v) {
  const FormatFields before{format, form, scale_dtype, group_size};
  const QuantRange range_before = range;
  visit_format(v, bits, format);
  v("group_size", group_size, "inputs that share a scale; -1: the whole row");
  v("per_tensor", per_tensor, "one scale for the whole tensor");
  v.choice("form", form, range_form_names(), kFormHelp);
  v.choice("range", range, {"zero_included", "raw"},
           "zero_included: a group's range is widened to hold 0; raw: it is taken as it is");
  v.choice("scale_dtype", scale_dtype, scale_dtype_names(), "dtype of stored scales and minima");
  const FormatFields settled = settle_format(v, {format, form, scale_dtype, group_size}, before,
                                             {{}, QuantForm::kZeroPoint, {}, -1});
  form = settled.form;
  scale_dtype = settled.scale_dtype;
  group_size = settled.group_size;
  if (format != FormatId::kInteger && range == range_before) range = QuantRange::kZeroIncluded;
  check_bits(v, "bits", bits);
  if (group_size != -1 && group_size < 1)
    v.reject("group_size",
             fmt::format("{}; expected a positive number, or -1 for the whole row", group_size));
  if (is_symmetric(form) && range == QuantRange::kRaw)
    v.reject("range", "raw, but a symmetric range always holds 0; expected zero_included");
  if (per_tensor && group_size != -1)
    v.reject("group_size", "cannot be combined with per_tensor: true");
}

int64_t scale_bits(ScaleDtype dtype, int64_t compute_bits) {
  switch (dtype) {
    case ScaleDtype::kFloat32:
      return 32;
    case ScaleDtype::kFloat16:
    case ScaleDtype::kBfloat16:
      return 16;
    case ScaleDtype::kCompute:
      break;
  }
  return compute_bits;
}

double QuantSpec::bits_per_value(int64_t width, int64_t compute_bits) const {
  if (identity()) return static_cast<double>(compute_bits);
  if (per_tensor) return static_cast<double>(bits);
  const int64_t group = group_size == -1 ? width : group_size;
  const int64_t groups = (width + group - 1) / group;
  const NumberFormat& row = number_format(format);
  const int64_t scale =
      row.scale_bits >= 0 ? row.scale_bits : scale_bits(scale_dtype, compute_bits);
  const int64_t second = is_symmetric(form)                   ? 0
                         : form != QuantForm::kZeroPoint      ? scale
                         : range == QuantRange::kZeroIncluded ? bits
                                                              : 32;
  return static_cast<double>(bits) +
         static_cast<double>((scale + second) * groups) / static_cast<double>(width);
}

}  // namespace wkvq
