#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/kernels/quant_plan.h"
#include "core/number/quant_spec.h"

namespace wkvq {

/// A few rows that enter packed weights, quantized over plain memory: fake_quantize of them bit for
/// bit, and the whole numbers behind it where products of whole numbers can be made of them (a
/// symmetric grid, a scale a row or for every 32). The memory is kept from call to call.
class QuantizedRows {
 public:
  /// Of rows of `width` numbers by `spec`, which is not the identity and needs no scale of a tensor.
  QuantizedRows(const QuantSpec& spec, int64_t width);

  /// `x` [rows, padded width], zeros behind the ends; padded to kPanelStep.
  void quantize(const float* x, int64_t rows);
  /// [rows, padded width].
  const float* values() const { return values_.data(); }
  /// What PackedProduct::whole needs beside weights of so many bits; null where there is nothing.
  const int8_t* whole(int64_t bits);
  const float* whole_scales() const { return scales_.data(); }

 private:
  /// Values, whole numbers and scales of a row from its codes.
  void place_whole(int64_t row);

  QuantPlan plan_;
  int64_t width_, padded_, rows_ = 0;  // those of the last call
  bool is_whole_;
  std::vector<float> values_, scales_, group_scales_;
  std::vector<uint8_t> codes_;
  std::vector<int8_t> plain_;
  /// The same in another order, for weights of 2 and of 4 bits; empty until somebody asks.
  std::array<std::vector<int8_t>, 2> ordered_;
};

}  // namespace wkvq
