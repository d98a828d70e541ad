#include "datasets/tasks/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wkvq {

ClusteredMean clustered_mean(const std::vector<std::vector<double>>& values) {
  ClusteredMean result;
  std::vector<double> sums;
  double total = 0;
  for (const auto& window : values) {
    double sum = 0;
    for (const double value : window) sum += value;
    sums.push_back(sum);
    total += sum;
    result.n += static_cast<int64_t>(window.size());
  }
  const double tokens = static_cast<double>(result.n);
  result.mean = total / tokens;
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double deviation = sums[i] - static_cast<double>(values[i].size()) * result.mean;
    squares += deviation * deviation;
  }
  const double windows = static_cast<double>(values.size());
  result.standard_error = values.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                            : std::sqrt(windows / (windows - 1) * squares) / tokens;
  return result;
}

double quantile(std::vector<double> values, double q) {
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto low = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), low, values.end());
  const double fraction = rank - std::floor(rank);
  if (fraction == 0) return *low;
  return *low + fraction * (*std::min_element(low + 1, values.end()) - *low);
}

}  // namespace wkvq
