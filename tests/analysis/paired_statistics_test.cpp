#include "analysis/compare/paired_statistics.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("paired difference: by hand, equal weights") {
  // Differences 1, 2, 3, 6 of weight 2 each: 12 / 8 = 1.5; by window 0.5, 1, 1.5, 3, their standard
  // deviation sqrt((1 + 0.25 + 0 + 2.25) / 3), over sqrt(4).
  const PairedDifference d =
      paired_difference({{1, 1, 1, 1}, {2, 3, 4, 7}, {2, 2, 2, 2}}, {.samples = 2000});
  CHECK(d.value == 1.5);
  CHECK(d.standard_error == Approx(std::sqrt(3.5 / 3) / 2).epsilon(1e-14));
  CHECK(d.low >= 0.5);
  CHECK(d.high <= 3.0);
  CHECK(d.low < d.value);
  CHECK(d.high > d.value);
}

TEST_CASE("paired difference: clusters of unequal weight are a ratio of sums") {
  // 4 / 8 = 0.5; deviations 1 - 0.5 and 3 - 3.5; sqrt(2 * 0.5) / 8.
  const PairedDifference d = paired_difference({{0, 0}, {1, 3}, {1, 7}}, {.samples = 200});
  CHECK(d.value == 0.5);
  CHECK(d.standard_error == Approx(1.0 / 8).epsilon(1e-14));
}

TEST_CASE("paired difference: what is hard for both runs cancels") {
  const PairedDifference d =
      paired_difference({{1, 50, 900}, {1.5, 50.5, 900.5}, {1, 1, 1}}, {.samples = 200});
  CHECK(d.value == 0.5);
  CHECK(d.standard_error == 0.0);
  CHECK(d.low == 0.5);
  CHECK(d.high == 0.5);
}

TEST_CASE("paired difference: one cluster has neither error nor interval") {
  const PairedDifference d = paired_difference({{1}, {3}, {2}}, {});
  CHECK(d.value == 1.0);
  CHECK(std::isnan(d.standard_error));
  CHECK(std::isnan(d.low));
  CHECK(std::isnan(d.high));
}

TEST_CASE("bootstrap: the seed decides, the width is that of the standard error") {
  PairedSums sums;
  for (int i = 0; i < 400; ++i) {
    sums.first.push_back(0);
    sums.second.push_back(std::sin(i * 1.7) + 0.1);
    sums.weight.push_back(1);
  }
  const PairedDifference one = paired_difference(sums, {.samples = 4000, .seed = 1});
  const PairedDifference again = paired_difference(sums, {.samples = 4000, .seed = 1});
  const PairedDifference other = paired_difference(sums, {.samples = 4000, .seed = 2});
  CHECK(one.low == again.low);
  CHECK(one.high == again.high);
  CHECK(one.low != other.low);
  // 2 x 1.96 standard errors; a quantile of 4000 draws is off by about 3 %, and 400 clusters are
  // close to normal.
  CHECK((one.high - one.low) / (2 * 1.96 * one.standard_error) == Approx(1).epsilon(0.1));
}

// p-values from scipy 1.17.1: binomtest(min(b, c), b + c, 0.5).pvalue, and
// chi2.sf((abs(b - c) - 1)**2 / (b + c), 1) for the last.
TEST_CASE("McNemar: scipy's p-values, exact up to 1000 discordant pairs") {
  struct Case {
    int64_t b, c;
    double p;
  };
  for (const Case& one :
       {Case{10, 2, 0.03857421875}, Case{2, 10, 0.03857421875}, Case{5, 5, 1.0}, Case{0, 0, 1.0},
        Case{30, 12, 0.007915897334896727}, Case{400, 350, 0.07350777405843484}}) {
    const McNemar result = mcnemar(one.b, one.c);
    INFO(one.b << " " << one.c);
    // lgamma of a number below 1000 is good to 1e-15 of its size, 6000: 1e-11 in the exponent.
    CHECK(result.p == Approx(one.p).epsilon(1e-10));
    CHECK(result.test == "exact binomial");
    CHECK(result.right_wrong == one.b);
    CHECK(result.wrong_right == one.c);
  }
  const McNemar many = mcnemar(600, 500);
  CHECK(many.p == Approx(0.0028361326556546836).epsilon(1e-12));
  CHECK(many.test == "chi-square, continuity-corrected");
  CHECK(mcnemar(600, 600).p == 1.0);
}
