#pragma once

#include <cstdint>

// A QuantSpec boiled down to what a kernel needs: no tensors, no strings, usable in device code.
namespace wkvq {

enum class PlanForm { kZeroPoint, kMinimum, kSymmetric };
enum class StoredScale { kCompute, kFloat32, kFloat16, kBfloat16 };

struct QuantPlan {
  int64_t rows = 0;
  int64_t width = 0;
  int64_t group = 0;  ///< elements; the last group of a row may be shorter
  int64_t max_code = 0;
  PlanForm form = PlanForm::kZeroPoint;
  StoredScale stored = StoredScale::kCompute;
  bool include_zero = true;

  constexpr int64_t groups_per_row() const { return (width + group - 1) / group; }
};

/// Where a kernel reads and writes; [rows, width] contiguous, scale and offset [rows,
/// groups_per_row()].
template <class T>
struct QuantBuffers {
  const T* input = nullptr;
  T* output = nullptr;            ///< dequantized values, or null
  uint8_t* codes = nullptr;       ///< codes minus the lowest code, or null
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
