#include "core/outliers.h"

#include <algorithm>
#include <cmath>

#include "core/torch_headers.h"

namespace wkvq {

int64_t outliers_per_end(double share, int64_t count) {
  const auto wanted = static_cast<int64_t>(std::llround(share / 2 * static_cast<double>(count)));
  return std::min(wanted, (count - 1) / 2);
}

OutlierThresholds outlier_thresholds(const at::Tensor& x, double share) {
  const int64_t count = x.size(-1), end = outliers_per_end(share, count);
  const at::Tensor sorted = std::get<0>(x.detach().sort(-1));
  return {sorted.narrow(-1, end, 1), sorted.narrow(-1, count - 1 - end, 1),
          sorted.narrow(-1, (count - 1) / 2, 1)};
}

SparseEntries sparse_entries(const at::Tensor& x, const at::Tensor& mask) {
  const at::Tensor index = mask.flatten().nonzero().squeeze(1);
  return {index, x.flatten().index_select(0, index)};
}

void SparseEntries::put_into(at::Tensor& x) const {
  x.view(-1).index_copy_(0, index, value);
}

double sparse_bits(double share, int64_t width, int64_t compute_bits) {
  constexpr double kPlaceBits = 16, kCountBits = 32;
  return share * (static_cast<double>(compute_bits) + kPlaceBits) +
         kCountBits / static_cast<double>(width);
}

}  // namespace wkvq
