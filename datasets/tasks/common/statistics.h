#pragma once

#include <cstdint>
#include <vector>

namespace wkvq {

/// Mean over tokens with the standard error that their grouping in windows asks for.
struct ClusteredMean {
  double mean = 0;
  double standard_error = 0;  ///< NaN where there is one window only
  int64_t n = 0;              ///< tokens
};

/// `values` has one vector a window. With n_i tokens and mean m_i in window i, N = sum n_i and W
/// windows: mean m = sum n_i m_i / N, standard error sqrt(W / (W - 1) sum n_i^2 (m_i - m)^2) / N
/// (clustered_ratio); for windows of equal length that is std(m_i) / sqrt(W).
ClusteredMean clustered_mean(const std::vector<std::vector<double>>& values);

/// Sum of `sums` over sum of `weights`, one entry of each a cluster, as ratio and its estimator's
/// standard error: with r the ratio, W clusters and v the sum of weights
/// sqrt(W / (W - 1) sum (s_i - r v_i)^2) / v; NaN where W is 1.
struct Ratio {
  double value = 0;
  double standard_error = 0;
};
Ratio clustered_ratio(const std::vector<double>& sums, const std::vector<double>& weights);

/// The `q`-quantile (0..1) of `values` (not empty) with linear interpolation between order
/// statistics.
double quantile(std::vector<double> values, double q);

/// Standard error of the mean of `values` where they are independent, as llama.cpp prints it:
/// sqrt((mean of squares - square of the mean) / (n - 1)); NaN where there is one.
double independent_error(const std::vector<double>& values);

/// Pearson's correlation of two lists of one length; NaN where one of them does not vary.
double correlation(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace wkvq
