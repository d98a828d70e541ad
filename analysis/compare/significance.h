#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace wkvq {

/// Two-sided p-values below which a difference gets one, two and three stars.
inline constexpr std::array<double, 3> kStarLevels{0.05, 0.01, 0.001};

/// P(|T| >= |t|) of Student's t with `freedom` degrees of freedom; NaN where t is NaN or there are
/// none.
double student_p(double t, double freedom);

/// The t whose two-sided p-value is `p`; 0 < p < 1, freedom >= 1.
double student_critical(double p, double freedom);

/// 0 to 3 stars for the t of a paired difference (its value over its standard error) over
/// freedom + 1 clusters. Not corrected for how many differences a table has.
int64_t significant_stars(double t, double freedom);

/// What the stars mean, in a sentence.
std::string stars_legend();

}  // namespace wkvq
