#include "core/kv/tile_balance.h"

#include <cmath>

#include "core/device/torch_headers.h"
#include "core/kv/row_grid.h"

namespace wkvq {

namespace {

constexpr int kRounds = 16;
// Of the published code: what a standard deviation and the logarithm of a scale may be.
constexpr double kLeastDeviation = 1e-3, kMostDeviation = 1e3;
constexpr double kLeastLog = -0.3, kMostLog = 10;
// A round wins only where it is better by more than rounding: ways of computing it agree.
constexpr double kBetter = 1 - 1e-5;

struct Scales {
  at::Tensor rows, columns;  ///< [..., tokens, 1] and [..., 1, channels], logarithms
};

at::Tensor deviation(const at::Tensor& x, int64_t over) {
  return x.std(at::IntArrayRef{over}, /*unbiased=*/false, /*keepdim=*/true)
      .clamp(kLeastDeviation, kMostDeviation);
}

at::Tensor scaled(const at::Tensor& x, const Scales& scales) {
  return x * (-scales.rows - scales.columns).exp();
}

/// Largest over smallest deviation of rows and columns, [..., 1, 1].
at::Tensor imbalance(const at::Tensor& x) {
  const at::Tensor rows = deviation(x, -1), columns = deviation(x, -2);
  const at::Tensor largest = at::maximum(rows.amax(-2, true), columns.amax(-1, true));
  return largest / at::minimum(rows.amin(-2, true), columns.amin(-1, true));
}

/// `x` is [..., tokens, channels], float64.
Scales balanced(const at::Tensor& x) {
  Scales now{at::zeros_like(x.narrow(-1, 0, 1)), at::zeros_like(x.narrow(-2, 0, 1))};
  Scales best = now;
  at::Tensor least = imbalance(x);
  for (int round = 0; round < kRounds; ++round) {
    now.columns = (now.columns + deviation(scaled(x, now), -2).log()).clamp(kLeastLog, kMostLog);
    now.rows = (now.rows + deviation(scaled(x, now), -1).log()).clamp(kLeastLog, kMostLog);
    const at::Tensor ratio = imbalance(scaled(x, now));
    const at::Tensor better = ratio < least * kBetter;
    least = at::where(better, ratio, least);
    best = {at::where(better, now.rows, best.rows), at::where(better, now.columns, best.columns)};
  }
  return best;
}

}  // namespace

at::Tensor tile_balance(const at::Tensor& x, const KvTensorOptions& options) {
  const bool time = options.axis == KvAxis::kTime;
  const int64_t seq = x.size(2), whole = seq - seq % options.tile;
  std::vector<at::Tensor> parts;
  const auto add = [&](const at::Tensor& tiles) {
    const Scales scales = balanced(tiles.to(at::kDouble));
    parts.push_back(time ? scales.rows.flatten(2, 3) : scales.columns.flatten(2, 3));
  };
  if (whole > 0) add(x.narrow(2, 0, whole).unflatten(2, {-1, options.tile}));
  if (whole < seq) add(x.narrow(2, whole, seq - whole).unsqueeze(2));
  return as_stored(at::cat(parts, 2).exp().to(x.scalar_type()), options.scale_dtype);
}

at::Tensor over_tiles(const at::Tensor& balance, const KvTensorOptions& options, int64_t seq) {
  if (options.axis == KvAxis::kTime) return balance;
  return balance.repeat_interleave(options.tile, 2).narrow(2, 0, seq);
}

double balance_bits(const KvTensorOptions& options, int64_t head_dim, int64_t compute_bits) {
  if (options.tile == 0) return 0;
  const int64_t shared = options.axis == KvAxis::kTime ? head_dim : options.tile;
  return static_cast<double>(scale_bits(options.scale_dtype, compute_bits)) /
         static_cast<double>(shared);
}

}  // namespace wkvq
