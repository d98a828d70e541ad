#include "analysis/compare/significance.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("Student's t in closed form for one and two degrees of freedom") {
  // One: Cauchy, P(|T| >= 1) = 1/2. Two: P(|T| >= t) = 1 - t / sqrt(2 + t^2).
  CHECK(student_p(1, 1) == Approx(0.5).epsilon(1e-12));
  CHECK(student_p(-2, 2) == Approx(1 - 2 / std::sqrt(6.0)).epsilon(1e-12));
  CHECK(student_p(0, 7) == Approx(1));
  CHECK(std::isnan(student_p(NAN, 7)));
  CHECK(std::isnan(student_p(1, 0)));
}

TEST_CASE("critical values as in printed tables") {
  // Rounded to three decimals there.
  CHECK(student_critical(0.05, 15) == Approx(2.131).margin(5e-4));
  CHECK(student_critical(0.01, 10) == Approx(3.169).margin(5e-4));
  CHECK(student_critical(0.001, 30) == Approx(3.646).margin(5e-4));
}

TEST_CASE("stars of a paired difference") {
  CHECK(significant_stars(2.1, 15) == 0);
  CHECK(significant_stars(2.2, 15) == 1);
  CHECK(significant_stars(-3, 15) == 2);
  CHECK(significant_stars(5, 15) == 3);
  CHECK(significant_stars(5, 0) == 0);
  CHECK(significant_stars(NAN, 15) == 0);
}
