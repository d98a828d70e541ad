#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kernels/packed_kernels.h"
#include "core/kernels/weight_format.h"
#include "core/number/quantizer.h"

namespace wkvq {

class ActivationQuantizer;
struct DeviceKernels;
struct PackedProduct;

/// Throws ConfigError where weights [out, in] of `spec` cannot be packed: whole numbers of 2, 3, 4
/// or 8 bits or other elements of 4 or 8, groups of a multiple of 32 inputs (other elements: or 16)
/// or of whole rows, no `per_tensor`.
void check_packable(const QuantSpec& spec, int64_t in);

/// A weight [out, in] as codes, scales and zero points or minima (packed_layout.h). Its bytes are
/// those of QuantSpec::bits_per_value where `out` is a multiple of 16 and `in` of 32; otherwise
/// panels are padded.
class PackedWeight {
 public:
  /// `encoded`: of a weight in float32, bfloat16 or float16, by encode(); packed on its device.
  /// `device`: what works on the codes in place of `kernels`; a CUDA device has its own. Throws
  /// ConfigError, see check_packable.
  PackedWeight(const Encoded& encoded, const QuantSpec& spec,
               const PackedKernels& kernels = packed_kernels().front(),
               const DeviceKernels* device = nullptr);
  /// Rounded to nearest: encode(weight, spec).
  PackedWeight(const at::Tensor& weight, const QuantSpec& spec,
               const PackedKernels& kernels = packed_kernels().front());

  /// As format() and data() of another one.
  PackedWeight(const WeightFormat& format, at::Tensor data,
               const PackedKernels& kernels = packed_kernels().front());

  /// [out, in] in float32; equals fake_quantize(weight, spec) bit for bit.
  at::Tensor decode() const;

  /// x W^T for x [..., in], in its dtype; computed in float32. Up to kFewRows rows read the codes;
  /// more take decoded parts of the weight to a matrix product. The same bits for any number of
  /// threads.
  at::Tensor multiply(const at::Tensor& x) const;
  /// Q(x) W^T. Where Q rounds few float32 rows to whole numbers on the CPU, by sums of whole numbers
  /// (QuantizedRows), which differ from those of multiply(Q(x)) by less rounding.
  at::Tensor multiply(const at::Tensor& x, const ActivationQuantizer& input) const;
  static constexpr int64_t kFewRows = 16;

  const WeightFormat& format() const { return format_; }
  /// format().bytes() bytes.
  const at::Tensor& data() const { return data_; }
  int64_t stored_bytes() const { return format_.bytes(); }

  /// For callers with loops of their own over plain memory: everything of a product but x, its sums
  /// and y; what runs it; and those sums [rows, groups] of x [rows, padded_in].
  PackedProduct product() const;
  const PackedKernels& kernels() const { return kernels_; }
  static void sum_groups(const WeightFormat& format, const float* x, int64_t rows, float* sums);
  /// Panels that the kernels like to work on together.
  static constexpr int64_t kPanelsTogether = 4;

 private:
  void fill_table();
  void put_codes(const at::Tensor& codes);
  void put_grid(const at::Tensor& scales_of, const at::Tensor& offsets_of);
  /// `input`: quantizes the rows first; may be null.
  at::Tensor few_rows(const at::Tensor& x, const QuantSpec* input) const;
  at::Tensor few_rows_on_device(const at::Tensor& x) const;
  at::Tensor many_rows(const at::Tensor& x) const;

  WeightFormat format_;
  PackedKernels kernels_;
  const DeviceKernels* device_;
  at::Tensor data_;           // bytes: codes, scales, offsets
  std::vector<float> table_;  // of elements other than whole numbers, by code
};

}  // namespace wkvq
