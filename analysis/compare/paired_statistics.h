#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wkvq {

/// What two runs gave to the same text or questions, one entry a cluster (window, document, item):
/// sums over the cluster, and its weight (tokens, words, bytes; 1 for an item).
struct PairedSums {
  std::vector<double> first, second;
  std::vector<double> weight;
};

/// Difference second - first of two ratios sum(values) / sum(weights) of the same clusters.
struct PairedDifference {
  double value = 0;
  /// Of the ratio estimator over the differences by cluster: with d_i the difference of sums in
  /// cluster i, w_i its weight, D the value and W clusters
  /// sqrt(W / (W - 1) sum (d_i - D w_i)^2) / sum w_i; NaN where W is 1. What makes a cluster hard
  /// for both runs cancels.
  double standard_error = 0;
  double low = 0, high = 0;  ///< 95 % interval of the bootstrap over clusters; NaN where W is 1
};

struct BootstrapOptions {
  int64_t samples = 10000;
  int64_t seed = 0;
};

/// The percentile interval draws whole clusters with replacement, `samples` times, the same draw
/// for both runs; the same seed gives the same bits on every platform.
PairedDifference paired_difference(const PairedSums& sums, const BootstrapOptions& bootstrap);

/// McNemar's test of two classifiers on the same items.
struct McNemar {
  int64_t right_wrong = 0;  ///< first right, second wrong
  int64_t wrong_right = 0;
  double p = 1;      ///< two-sided
  std::string test;  ///< which of the two was used
};

/// Up to 1000 discordant pairs "exact binomial": min(1, 2 P(X <= min)) with X of Binomial(n, 1/2);
/// above "chi-square, continuity-corrected": (|b - c| - 1)^2 / (b + c) with one degree of freedom.
McNemar mcnemar(int64_t right_wrong, int64_t wrong_right);

}  // namespace wkvq
