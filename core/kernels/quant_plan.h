#pragma once

#include <cstdint>

// A QuantSpec boiled down to what a kernel needs: no tensors, no strings, usable in device code.
namespace wkvq {

/// The forms of a quantizer of integers with codes 0..n, n = 2^bits - 1 (symmetric ones: two's
/// complement).
///   zero_point (A):  s = (max - min) / n, z = round(-min / s)
///                    q = clamp(round(x / s) + z, 0, n), x' = (q - z) s
///   minimum (B):     s = (max - min) / n                                       (KIVI's form)
///                    q = clamp(round((x - min) / s), 0, n), x' = q s + min
///   symmetric (C):   s = max|x| / (2^(bits-1) - 1)
///                    q = clamp(round(x / s), -2^(bits-1), 2^(bits-1) - 1), x' = q s
///   full_range:      the same with s = max|x| / (2^(bits-1) - 1/2), so that every code is used: the
///                    symmetric grid of llm-compressor and AutoGPTQ
///   mean:            m the mean, s = max|x - m| / (2^(bits-1) - 1)
///                    q = round((x - m) / s), x' = q s + m         (WKVQuant's token dimension)
/// Rounding is half to even.
enum class QuantForm { kZeroPoint, kMinimum, kSymmetric, kFullRange, kMean };

/// Whether a grid lies around 0: it has neither zero points nor minima.
constexpr bool is_symmetric(QuantForm form) {
  return form == QuantForm::kSymmetric || form == QuantForm::kFullRange;
}

/// The dtype that scales and minima are rounded to; kCompute keeps them as computed.
enum class ScaleDtype { kCompute, kFloat32, kFloat16, kBfloat16 };

/// The values that codes stand for before the scale: whole numbers, floats of a few bits, or a
/// table of sixteen.
enum class ElementKind { kInteger, kFloat, kTable };

/// Tables of sixteen values: the quantiles of a normal distribution (NF4: QLoRA, arXiv 2305.14314,
/// appendix E), and those of ggml's IQ4_NL.
enum class ElementTable { kNf4, kIq4Nl };

/// Floats: sign, exponent, mantissa; no infinities; exponents from `lowest_exponent` on, below it
/// subnormals.
struct Element {
  ElementKind kind = ElementKind::kInteger;
  int mantissa_bits = 0;
  int lowest_exponent = 0;
  double largest = 0;  ///< what lies beyond becomes it; not read of integers
  ElementTable table = ElementTable::kNf4;
};

/// How the scale of a symmetric group follows from its largest magnitude m and the largest element
/// L. kPower... and kTwoLevels, kFourOverSix are of a format's own type, whatever `stored` says.
enum class ScaleRule {
  kLargest,      ///< m / L
  kOne,          ///< 1: values are cast
  kPowerFloor,   ///< 2^(floor(log2 m) - floor(log2 L)), OCP Microscaling 1.0, section 6.3
  kPowerCeil,    ///< the least power of two that is not below m / L
  kTwoLevels,    ///< e4m3(g m / L) / g, g of the whole tensor (NVFP4)
  kFourOverSix,  ///< of kTwoLevels with L = 6 and with L = 4 the one of the smaller squared error
  // ggml's blocks: codes are found with the inverse of the scale as it is before it is stored.
  kInverse,        ///< m / L, or of the form (Q8_0, Q4_1, Q5_1)
  kInverseSigned,  ///< v / -(L + 1), v the value of the largest magnitude with its sign (Q4_0, Q5_0)
  kInverseFitted   ///< codes with v / -L, then the scale of least x^2-weighted squares (IQ4_NL)
};

constexpr bool by_inverse(ScaleRule rule) {
  return rule == ScaleRule::kInverse || rule == ScaleRule::kInverseSigned ||
         rule == ScaleRule::kInverseFitted;
}

struct QuantPlan {
  int64_t rows = 0;
  int64_t width = 0;
  int64_t group = 0;     ///< elements; the last group of a row may be shorter
  int64_t max_code = 0;  ///< of integers
  QuantForm form = QuantForm::kZeroPoint;
  ScaleDtype stored = ScaleDtype::kCompute;
  bool include_zero = true;
  Element element{};  ///< other than integers: form is kSymmetric
  ScaleRule rule = ScaleRule::kLargest;
  double tensor_factor = 1;  ///< g of kTwoLevels and kFourOverSix

  constexpr int64_t groups_per_row() const { return (width + group - 1) / group; }
  constexpr bool integers() const { return element.kind == ElementKind::kInteger; }
  /// Lowest code of integers; stored codes count from it.
  constexpr int64_t lowest_code() const {
    if (form == QuantForm::kMean) return -max_code;
    return is_symmetric(form) ? -max_code - 1 : 0;
  }
  /// What the largest magnitude of a symmetric group is divided by; of any other the codes.
  constexpr double span() const {
    if (rule == ScaleRule::kInverseSigned) return top() + 1;
    return form == QuantForm::kFullRange ? top() + 0.5 : top();
  }
  /// The largest value of a code before the scale.
  constexpr double top() const {
    return integers() ? static_cast<double>(max_code) : element.largest;
  }
};

/// Where a kernel reads and writes; [rows, width] contiguous, scale and offset [rows,
/// groups_per_row()].
template <class T>
struct QuantBuffers {
  const T* input = nullptr;
  T* output = nullptr;            ///< dequantized values, or null
  uint8_t* codes = nullptr;       ///< integers: codes minus the lowest code; or null
  T* scale = nullptr;             ///< or null
  T* offset = nullptr;            ///< zero point, minimum, mean, or 0 (symmetric); or null
  const T* high_ratio = nullptr;  ///< the largest element is multiplied by it first, or null
  const T* low_ratio = nullptr;   ///< the smallest likewise; ratios [rows, groups_per_row()]
};

/// The same for the backward pass.
template <class T>
struct QuantGradient {
  const T* grad;   ///< of the dequantized values
  const T* input;  ///< of the forward pass
  T* output;       ///< gradient of `input`
  const T *high_ratio, *low_ratio;
  T *high_grad, *low_grad;  ///< added to; null where there are no ratios
};

}  // namespace wkvq
