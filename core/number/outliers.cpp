#include "core/number/outliers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// The part of a range within which two values are one value rounded twice: far above the rounding
/// of a sum, far below the distance of values that mean something.
double rounding_gap(at::ScalarType type) {
  const double epsilon = type == at::kDouble ? std::numeric_limits<double>::epsilon()
                                             : std::numeric_limits<float>::epsilon();
  return std::pow(epsilon, 0.75);
}

/// Below which at most `end` of the ascending values lie; see OutlierEdges.
at::Tensor lower_edge(const at::Tensor& sorted, int64_t end) {
  const at::Tensor first = sorted.narrow(-1, 0, 1);
  const at::Tensor gap =
      (sorted.narrow(-1, sorted.size(-1) - 1, 1) - first) * rounding_gap(sorted.scalar_type());
  if (end == 0) return first - gap;
  const at::Tensor apart = sorted.narrow(-1, 1, end) - sorted.narrow(-1, 0, end) > gap;
  const at::Tensor ends = at::arange(1, end + 1, apart.options().dtype(at::kLong));
  const at::Tensor cut = (apart * ends).amax(-1, /*keepdim=*/true);
  const at::Tensor above = sorted.gather(-1, cut),
                   below = sorted.gather(-1, (cut - 1).clamp_min(0));
  return at::where(cut > 0, (below + above) / 2, first - gap);
}

}  // namespace

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

OutlierEdges outlier_edges(const at::Tensor& x, double share) {
  const at::Tensor sorted = std::get<0>(x.detach().sort(-1));
  const int64_t count = x.size(-1), end = outliers_per_end(share, count);
  if (share == 0) return {sorted.narrow(-1, 0, 1), sorted.narrow(-1, count - 1, 1)};
  return {lower_edge(sorted, end), lower_edge(sorted.neg().flip(-1), end).neg()};
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
