#include "core/number/quantized_rows.h"

#include "core/device/torch_headers.h"
#include "core/kernels/cpu_isa.h"
#include "core/kernels/packed_problems.h"
#include "core/kernels/quantize_rows.h"
#include "core/number/fake_quant.h"

namespace wkvq {

QuantizedRows::QuantizedRows(const QuantSpec& spec, int64_t width)
    : plan_(make_plan(at::empty({1, width}, at::kFloat), spec)),
      width_(width),
      padded_(round_up_to(width, kPanelStep)),
      is_whole_(plan_.integers() && is_symmetric(plan_.form) &&
                (plan_.group == kPanelStep || plan_.group >= width)),
      group_scales_(static_cast<size_t>(plan_.groups_per_row())),
      codes_(static_cast<size_t>(width)) {}

void QuantizedRows::quantize(const float* x, int64_t rows) {
  static const auto quantize_rows =
      cpu_isa() == CpuIsa::kGeneric ? quantize_rows_generic<float> : quantize_rows_avx2<float>;
  if (rows > rows_) {
    values_.assign(static_cast<size_t>(rows * padded_), 0.0F);
    scales_.assign(static_cast<size_t>(rows * padded_ / kPanelStep), 0.0F);
    plain_.assign(static_cast<size_t>(rows * padded_), 0);
  }
  rows_ = rows;
  for (std::vector<int8_t>& ordered : ordered_) ordered.clear();
  for (int64_t row = 0; row < rows; ++row) {
    QuantBuffers<float> buffers{.input = x + row * padded_};
    if (is_whole_) {
      buffers.codes = codes_.data();
      buffers.scale = group_scales_.data();
    } else {
      buffers.output = values_.data() + row * padded_;
    }
    quantize_rows(buffers, plan_, 0, 1);
    if (is_whole_) place_whole(row);
  }
}

void QuantizedRows::place_whole(int64_t row) {
  const auto low = static_cast<int>(plan_.lowest_code());
  float* const values = values_.data() + row * padded_;
  int8_t* const plain = plain_.data() + row * padded_;
  for (int64_t block = 0; block * kPanelStep < width_; ++block) {
    const int64_t begin = block * kPanelStep, end = std::min(begin + kPanelStep, width_);
    const float scale = group_scales_[static_cast<size_t>(begin / plan_.group)];
    scales_[static_cast<size_t>(row * padded_ / kPanelStep + block)] = scale;
    for (int64_t i = begin; i < end; ++i) {
      plain[i] = static_cast<int8_t>(static_cast<int>(codes_[static_cast<size_t>(i)]) + low);
      values[i] = static_cast<float>(plain[i]) * scale;
    }
  }
}

const int8_t* QuantizedRows::whole(int64_t bits) {
  if (!is_whole_ || !multiplies_whole(bits)) return nullptr;
  if (bits == 8) return plain_.data();  // its order is the plain one
  std::vector<int8_t>& ordered = ordered_[bits == 2 ? 0 : 1];
  if (!ordered.empty()) return ordered.data();
  ordered.resize(static_cast<size_t>(rows_ * padded_));
  std::array<size_t, kPanelStep> place{};
  for (size_t i = 0; i < place.size(); ++i)
    place[i] = static_cast<size_t>(input_place(bits, static_cast<int64_t>(i)));
  for (size_t block = 0; block < ordered.size(); block += place.size())
    for (size_t i = 0; i < place.size(); ++i) ordered[block + place[i]] = plain_[block + i];
  return ordered.data();
}

}  // namespace wkvq
