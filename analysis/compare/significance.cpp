#include "analysis/compare/significance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/SpecialFunctions>

namespace wkvq {

double student_p(double t, double freedom) {
  if (std::isnan(t) || freedom < 1) return NAN;
  // The textbook identity: the tails are I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t^2).
  return Eigen::numext::betainc(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double student_critical(double p, double freedom) {
  double low = 0, high = 1;
  while (student_p(high, freedom) > p) high *= 2;
  // 60 halvings leave less than the rounding of a double.
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (student_p(middle, freedom) > p ? low : high) = middle;
  }
  return (low + high) / 2;
}

int64_t significant_stars(double t, double freedom) {
  const double p = student_p(t, freedom);
  return std::ranges::count_if(kStarLevels, [p](double level) { return p < level; });
}

std::string stars_legend() {
  return fmt::format(
      "*, **, ***: p below {}, {}, {} in a two-sided t test of the paired difference over clusters "
      "(windows, documents or items), not corrected for the number of differences.",
      kStarLevels[0], kStarLevels[1], kStarLevels[2]);
}

}  // namespace wkvq
