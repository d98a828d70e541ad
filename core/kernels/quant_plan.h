#pragma once

#include <cstdint>

// A QuantSpec boiled down to what a kernel needs: no tensors, no strings, usable in device code.
namespace wkvq {

enum class PlanForm { kZeroPoint, kMinimum, kSymmetric };
enum class StoredScale { kCompute, kFloat32, kFloat16, kBfloat16 };

/// The values that codes stand for before the scale: whole numbers, floats of a few bits, or the
/// sixteen quantiles of a normal distribution (NF4).
enum class ElementKind { kInteger, kFloat, kNormal };

/// Floats: sign, exponent, mantissa; no infinities; exponents from `lowest_exponent` on, below it
/// subnormals.
struct Element {
  ElementKind kind = ElementKind::kInteger;
  int mantissa_bits = 0;
  int lowest_exponent = 0;
  double largest = 0;  ///< what lies beyond becomes it; not read of integers
};

/// How the scale of a symmetric group follows from its largest magnitude m and the largest element
/// L. All but the first two are of a format's own type, whatever `stored` says.
enum class ScaleRule {
  kLargest,     ///< m / L
  kOne,         ///< 1: values are cast
  kPowerFloor,  ///< 2^(floor(log2 m) - floor(log2 L)), OCP Microscaling 1.0, section 6.3
  kPowerCeil,   ///< the least power of two that is not below m / L
  kTwoLevels,   ///< e4m3(g m / L) / g, g of the whole tensor (NVFP4)
  kFourOverSix  ///< of kTwoLevels with L = 6 and with L = 4 the one of the smaller squared error
};

struct QuantPlan {
  int64_t rows = 0;
  int64_t width = 0;
  int64_t group = 0;     ///< elements; the last group of a row may be shorter
  int64_t max_code = 0;  ///< of integers
  PlanForm form = PlanForm::kZeroPoint;
  StoredScale stored = StoredScale::kCompute;
  bool include_zero = true;
  bool half_step = false;  ///< symmetric integers: the largest lies half a step beyond max_code
  Element element{};       ///< other than integers: form is kSymmetric
  ScaleRule rule = ScaleRule::kLargest;
  double tensor_factor = 1;  ///< g of kTwoLevels and kFourOverSix

  constexpr int64_t groups_per_row() const { return (width + group - 1) / group; }
  constexpr bool integers() const { return element.kind == ElementKind::kInteger; }
  /// What the largest magnitude of a symmetric group is divided by; of any other the codes.
  constexpr double span() const { return top() + (half_step ? 0.5 : 0.0); }
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
  T* offset = nullptr;            ///< zero point (A), minimum (B), 0 (C); or null
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
