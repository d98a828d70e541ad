#include "core/number/number_format.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "core/number/format_names.h"

namespace wkvq {

namespace {

constexpr Element kE4m3{ElementKind::kFloat, 3, -6, 448};
constexpr Element kE5m2{ElementKind::kFloat, 2, -14, 57344};
constexpr Element kE3m2{ElementKind::kFloat, 2, -2, 28};
constexpr Element kE2m3{ElementKind::kFloat, 3, 0, 7.5};
constexpr Element kE2m1{ElementKind::kFloat, 1, 0, 6};
constexpr Element kNf4{ElementKind::kTable, 0, 0, 1, ElementTable::kNf4};
constexpr Element kIq4Nl{ElementKind::kTable, 0, 0, 127, ElementTable::kIq4Nl};

NumberFormat integers(const char* name, int64_t bits) {
  return {.name = name, .bits = bits, .help = "whole numbers, the long name of `bits`"};
}

NumberFormat cast(const char* name, const Element& element, const char* help) {
  return {.name = name,
          .bits = 8,
          .element = element,
          .rule = ScaleRule::kOne,
          .scale_bits = 0,
          .help = help};
}

/// OCP Microscaling Formats 1.0: blocks of 32 under a power of two.
NumberFormat microscaling(const char* name, int64_t bits, const Element& element, const char* help,
                          ScaleRule rule = ScaleRule::kPowerFloor) {
  return {.name = name,
          .bits = bits,
          .element = element,
          .rule = rule,
          .block = 32,
          .scale_bits = 8,
          .help = help};
}

/// NVFP4: blocks of 16, their scales in e4m3.
NumberFormat two_levels(const char* name, ScaleRule rule, double limit, const char* help) {
  return {.name = name,
          .bits = 4,
          .element = kE2m1,
          .rule = rule,
          .block = 16,
          .scale_bits = 8,
          .tensor_limit = limit,
          .help = help};
}

/// ggml's blocks of 32 with a scale in float16, and a minimum where the form has one.
NumberFormat ggml(const char* name, int64_t bits, ScaleRule rule, QuantForm form, const char* help,
                  const Element& element = {}) {
  return {.name = name,
          .bits = bits,
          .element = element,
          .rule = rule,
          .block = 32,
          .scale_bits = 16,
          .form = form,
          .scale_dtype = ScaleDtype::kFloat16,
          .help = help};
}

std::vector<NumberFormat> all_formats() {
  return {
      {.name = "int", .bits = 16, .help = "whole numbers of as many bits as `bits` says"},
      {.name = "none", .bits = 16, .help = "no quantization, the long name of `bits: 16`"},
      integers("int2", 2),
      integers("int3", 3),
      integers("int4", 4),
      integers("int5", 5),
      integers("int6", 6),
      integers("int7", 7),
      integers("int8", 8),
      {.name = "fp8_e4m3", .bits = 8, .element = kE4m3, .help = "scale largest/448, per group"},
      {.name = "fp8_e5m2", .bits = 8, .element = kE5m2, .help = "scale largest/57344, per group"},
      cast("fp8_e4m3_cast", kE4m3,
           "scale 1, values beyond 448 become 448: caches named fp8 without calibration"),
      cast("fp8_e5m2_cast", kE5m2, "scale 1, values beyond 57344 become 57344"),
      {.name = "fp6_e3m2", .bits = 6, .element = kE3m2, .help = "scale largest/28, per group"},
      {.name = "fp6_e2m3", .bits = 6, .element = kE2m3, .help = "scale largest/7.5, per group"},
      {.name = "fp4_e2m1", .bits = 4, .element = kE2m1, .help = "scale largest/6, per group"},
      {.name = "nf4",
       .bits = 4,
       .element = kNf4,
       .help = "quantiles of a normal distribution (QLoRA), scale largest/1, per group"},
      microscaling("mxfp8", 8, kE4m3, "OCP MXFP8 of e4m3"),
      microscaling("mxfp8_e5m2", 8, kE5m2, "OCP MXFP8 of e5m2"),
      microscaling("mxfp6", 6, kE2m3, "OCP MXFP6 of e2m3"),
      microscaling("mxfp6_e3m2", 6, kE3m2, "OCP MXFP6 of e3m2"),
      microscaling("mxfp4", 4, kE2m1, "OCP MXFP4"),
      microscaling("mxfp4_ceil", 4, kE2m1, "MXFP4 whose scale is rounded up, so nothing is clipped",
                   ScaleRule::kPowerCeil),
      two_levels("nvfp4", ScaleRule::kTwoLevels, 448.0 * 6,
                 "NVFP4: one more scale for the whole tensor"),
      two_levels(
          "nvfp4_4over6", ScaleRule::kFourOverSix, 256.0 * 6,
          "NVFP4 whose blocks take the better of largest/6 and largest/4 (arXiv 2512.02010)"),
      two_levels("nvfp4_cast", ScaleRule::kTwoLevels, 0, "NVFP4 with a tensor scale of 1"),
      ggml("q8_0", 8, ScaleRule::kInverse, QuantForm::kSymmetric, "llama.cpp's Q8_0"),
      ggml("q5_0", 5, ScaleRule::kInverseSigned, QuantForm::kSymmetric, "llama.cpp's Q5_0"),
      ggml("q5_1", 5, ScaleRule::kInverse, QuantForm::kMinimum, "llama.cpp's Q5_1"),
      ggml("q4_0", 4, ScaleRule::kInverseSigned, QuantForm::kSymmetric, "llama.cpp's Q4_0"),
      ggml("q4_1", 4, ScaleRule::kInverse, QuantForm::kMinimum, "llama.cpp's Q4_1"),
      ggml("iq4_nl", 4, ScaleRule::kInverseFitted, QuantForm::kSymmetric,
           "llama.cpp's IQ4_NL: a table of 16 values", kIq4Nl),
  };
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const NumberFormat& format : number_formats()) names.emplace_back(format.name);
  return names;
}

}  // namespace

const std::vector<NumberFormat>& number_formats() {
  static const std::vector<NumberFormat> formats = all_formats();
  return formats;
}

const NumberFormat& number_format(FormatId id) {
  return number_formats().at(static_cast<size_t>(id));
}

FormatId format_named(const std::string& name) {
  for (size_t i = 0; i < number_formats().size(); ++i)
    if (name == number_formats()[i].name)
      return number_formats()[i].whole_numbers() ? FormatId::kInteger : static_cast<FormatId>(i);
  config_error("unknown number format '{}'{}", shown(name), suggestion(name, format_names()));
}

void visit_format(OptionVisitor& v, int64_t& bits, FormatId& format) {
  static const std::vector<std::string> names = format_names();
  const int64_t bits_before = bits;
  const FormatId format_before = format;
  v("bits", bits, "2 to 8; 16: no quantization");
  // Written only where it says more than `bits`: a run's id does not depend on how it was spelled.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || format != FormatId::kInteger)
    v.choice("format", format, names, "a number format, which has its own bits; wkvq list formats");
  if (v.purpose() != OptionVisitor::Purpose::kRead) return;
  const NumberFormat& given = number_format(format);
  if (format != format_before && format != FormatId::kInteger) {
    if (bits != bits_before && bits != given.bits)
      v.reject("bits", fmt::format("{} beside format: {}, which has {}; expected one of the two",
                                   bits, given.name, given.bits));
    bits = given.bits;
    if (given.whole_numbers()) format = FormatId::kInteger;
  } else if (bits != bits_before && bits != given.bits) {
    format = FormatId::kInteger;  // bits of this level replace a format of the one above
  }
}

}  // namespace wkvq
