#include "analysis/compare/paired_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>

namespace wkvq {
namespace {

constexpr int64_t kMostExact = 1000;
constexpr double kTail = 0.025;

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Linear interpolation between order statistics.
double quantile(const std::vector<double>& sorted, double q) {
  const double rank = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(rank);
  const double fraction = rank - std::floor(rank);
  return fraction == 0 ? sorted[low] : sorted[low] + fraction * (sorted[low + 1] - sorted[low]);
}

std::vector<double> bootstrap_ratios(const std::vector<double>& differences,
                                     const std::vector<double>& weights,
                                     const BootstrapOptions& options) {
  std::mt19937_64 random(static_cast<uint64_t>(options.seed));
  std::vector<double> ratios;
  for (int64_t i = 0; i < options.samples; ++i) {
    double difference = 0, weight = 0;
    for (size_t k = 0; k < differences.size(); ++k) {
      // std's distributions differ between libraries; the bias of the remainder is below 2^-40 for
      // any file.
      const auto drawn = static_cast<size_t>(random() % differences.size());
      difference += differences[drawn];
      weight += weights[drawn];
    }
    if (weight > 0) ratios.push_back(difference / weight);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

/// P(X <= k) of Binomial(n, 1/2).
double binomial_tail(int64_t k, int64_t n) {
  const auto log_factorial = [](int64_t x) { return std::lgamma(static_cast<double>(x) + 1); };
  double tail = 0;
  for (int64_t i = 0; i <= k; ++i)
    tail += std::exp(log_factorial(n) - log_factorial(i) - log_factorial(n - i) -
                     static_cast<double>(n) * std::numbers::ln2);
  return tail;
}

}  // namespace

PairedDifference paired_difference(const PairedSums& sums, const BootstrapOptions& bootstrap) {
  const size_t clusters = sums.weight.size();
  std::vector<double> differences(clusters);
  for (size_t i = 0; i < clusters; ++i) differences[i] = sums.second[i] - sums.first[i];
  const double weight = sum(sums.weight);
  const double none = std::numeric_limits<double>::quiet_NaN();
  PairedDifference result{sum(differences) / weight, none, none, none};
  if (clusters < 2) return result;
  double squares = 0;
  for (size_t i = 0; i < clusters; ++i) {
    const double deviation = differences[i] - result.value * sums.weight[i];
    squares += deviation * deviation;
  }
  const double w = static_cast<double>(clusters);
  result.standard_error = std::sqrt(w / (w - 1) * squares) / weight;
  const std::vector<double> ratios = bootstrap_ratios(differences, sums.weight, bootstrap);
  if (ratios.empty() || std::isnan(result.value)) return result;
  result.low = quantile(ratios, kTail);
  result.high = quantile(ratios, 1 - kTail);
  return result;
}

McNemar mcnemar(int64_t right_wrong, int64_t wrong_right) {
  McNemar result{right_wrong, wrong_right, 1, "exact binomial"};
  const int64_t n = right_wrong + wrong_right;
  if (n <= kMostExact) {
    result.p = std::min(1.0, 2 * binomial_tail(std::min(right_wrong, wrong_right), n));
    return result;
  }
  result.test = "chi-square, continuity-corrected";
  const double distance = std::abs(static_cast<double>(right_wrong - wrong_right)) - 1;
  const double statistic =
      std::max(0.0, distance) * std::max(0.0, distance) / static_cast<double>(n);
  result.p = std::erfc(std::sqrt(statistic / 2));
  return result;
}

}  // namespace wkvq
