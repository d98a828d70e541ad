#include "datasets/tasks/common/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace wkvq {

Ratio clustered_ratio(const std::vector<double>& sums, const std::vector<double>& weights) {
  const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
  const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  Ratio ratio{total / weight, std::numeric_limits<double>::quiet_NaN()};
  if (sums.size() < 2) return ratio;
  double squares = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const double deviation = sums[i] - weights[i] * ratio.value;
    squares += deviation * deviation;
  }
  const double clusters = static_cast<double>(sums.size());
  ratio.standard_error = std::sqrt(clusters / (clusters - 1) * squares) / weight;
  return ratio;
}

ClusteredMean clustered_mean(const std::vector<std::vector<double>>& values) {
  std::vector<double> sums, sizes;
  int64_t n = 0;
  for (const auto& window : values) {
    sums.push_back(std::accumulate(window.begin(), window.end(), 0.0));
    sizes.push_back(static_cast<double>(window.size()));
    n += static_cast<int64_t>(window.size());
  }
  const Ratio ratio = clustered_ratio(sums, sizes);
  return {ratio.value, ratio.standard_error, n};
}

double quantile(std::vector<double> values, double q) {
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto low = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), low, values.end());
  const double fraction = rank - std::floor(rank);
  if (fraction == 0) return *low;
  return *low + fraction * (*std::min_element(low + 1, values.end()) - *low);
}

double independent_error(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / n / (n - 1));
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace wkvq
