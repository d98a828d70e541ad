#include <cmath>
#include <numbers>
#include <vector>

#include "core/device/torch_headers.h"
#include "core/number/codebook.h"

namespace wkvq {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double density(double x) {
  return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}

/// P(X > x); exact to its last bits far out, too.
double beyond(double x) {
  return std::erfc(x / std::numbers::sqrt2) / 2;
}

/// The x > 0 with P(X > x) = p, by bisection: a start for Newton needs no more.
double upper_quantile(double p) {
  double low = 0, high = 40;
  for (int i = 0; i < 60; ++i) (beyond((low + high) / 2) > p ? low : high) = (low + high) / 2;
  return low;
}

/// The mean of a standard normal number between two bounds, and its slopes in them.
struct CellMean {
  double mean, by_low, by_high;
};

CellMean cell_mean(double low, double high) {
  const double at_low = density(low), at_high = density(high);
  const double mass = beyond(low) - beyond(high);
  const double mean = (at_low - at_high) / mass;
  const bool open = high == kInfinity;
  return {mean, at_low * (mean - low) / mass, open ? 0 : at_high * (high - mean) / mass};
}

/// One step of Newton's method for c_i = mean of its cell, whose bounds lie halfway to the
/// neighbours: a tridiagonal system. Returns the largest change.
double newton_step(std::vector<double>& c) {
  const size_t n = c.size();
  std::vector<double> upper(n), change(n);
  for (size_t i = 0; i < n; ++i) {
    const double low = i == 0 ? 0 : (c[i - 1] + c[i]) / 2;
    const double high = i + 1 == n ? kInfinity : (c[i] + c[i + 1]) / 2;
    const CellMean cell = cell_mean(low, high);
    const double below = i == 0 ? 0 : -cell.by_low / 2, above = -cell.by_high / 2;
    // Of the first cell the lower bound is 0 and stays.
    double pivot = 1 + below + above, value = cell.mean - c[i];
    if (i > 0) {
      pivot -= below * upper[i - 1];
      value -= below * change[i - 1];
    }
    upper[i] = above / pivot;
    change[i] = value / pivot;
  }
  double largest = 0;
  for (size_t i = n; i-- > 0;) {
    if (i + 1 < n) change[i] -= upper[i] * change[i + 1];
    c[i] += change[i];
    largest = std::max(largest, std::abs(change[i]));
  }
  return largest;
}

}  // namespace

at::Tensor normal_codebook(int64_t size) {
  TORCH_CHECK(size >= 2 && size % 2 == 0, "normal codebook: got ", size,
              " values; expected an even number");
  const auto half = static_cast<size_t>(size / 2);
  std::vector<double> c(half);
  // The best density of values is that of a normal distribution of three times the variance (Panter
  // and Dite 1951), nearly.
  for (size_t i = 0; i < half; ++i)
    c[i] = std::numbers::sqrt3 *
           upper_quantile(0.5 - (static_cast<double>(i) + 0.5) / static_cast<double>(size));
  for (int i = 0; i < 50 && newton_step(c) > 1e-14;) ++i;
  std::vector<double> all(c.rbegin(), c.rend());
  for (double& x : all) x = -x;
  all.insert(all.end(), c.begin(), c.end());
  return at::tensor(all, at::kDouble);
}

}  // namespace wkvq
