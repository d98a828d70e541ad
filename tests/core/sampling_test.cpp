#include "core/generate/sampling.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// How often each token is chosen in `draws` draws.
std::map<int64_t, int> counts(const SamplingOptions& options, const std::vector<double>& logits,
                              int draws) {
  Sampler sampler(options, 0);
  std::map<int64_t, int> counted;
  for (int i = 0; i < draws; ++i) ++counted[sampler.choose(logits)];
  return counted;
}

std::vector<int64_t> drawn(int64_t seed, int64_t sequence) {
  Sampler sampler({.temperature = 1, .seed = seed}, sequence);
  std::vector<int64_t> tokens;
  for (int i = 0; i < 20; ++i) tokens.push_back(sampler.choose(std::vector<double>(1000, 0.0)));
  return tokens;
}

// Probabilities 0.4, 0.3, 0.2, 0.1, not in order.
const std::vector<double> kLogits{std::log(0.2), std::log(0.4), std::log(0.1), std::log(0.3)};

std::set<int64_t> support(const SamplingOptions& options, const std::vector<double>& logits) {
  std::set<int64_t> tokens;
  for (const auto& [token, count] : counts(options, logits, 2000)) tokens.insert(token);
  return tokens;
}

}  // namespace

TEST_CASE("sampling: temperature 0 takes the largest logit, of equal ones the first") {
  Sampler sampler({}, 0);
  CHECK(sampler.choose({0.5, 2.0, -1.0, 2.0}) == 1);
  CHECK(sampler.choose({-std::numeric_limits<double>::infinity(), -5.0}) == 1);
}

TEST_CASE("sampling: shares are the probabilities at the temperature") {
  const int n = 20000;
  const auto plain = counts({.temperature = 1}, kLogits, n);
  // Six standard deviations of a share of 20000 draws: 6 * sqrt(0.25 / 20000) = 0.021.
  CHECK(std::abs(plain.at(1) / double(n) - 0.4) < 0.021);
  CHECK(std::abs(plain.at(2) / double(n) - 0.1) < 0.021);
  // At temperature 0.5 probabilities are squared: 0.16 / (0.16 + 0.09 + 0.04 + 0.01).
  CHECK(std::abs(counts({.temperature = 0.5}, kLogits, n).at(1) / double(n) - 0.16 / 0.3) < 0.021);
}

TEST_CASE("sampling: top_k and top_p by hand") {
  CHECK(support({.temperature = 1, .top_k = 2}, kLogits) == std::set<int64_t>{1, 3});
  CHECK(support({.temperature = 1, .top_k = 1}, kLogits) == std::set<int64_t>{1});
  CHECK(support({.temperature = 1, .top_k = 9}, kLogits).size() == 4);
  // 0.4 + 0.3 = 0.7 reaches 0.6; 0.4 alone reaches 0.3.
  CHECK(support({.temperature = 1, .top_p = 0.6}, kLogits) == std::set<int64_t>{1, 3});
  CHECK(support({.temperature = 1, .top_p = 0.3}, kLogits) == std::set<int64_t>{1});
  CHECK(support({.temperature = 1, .top_p = 0.75}, kLogits) == std::set<int64_t>{0, 1, 3});
  // Of the three that top_k keeps, 0.4 / 0.9 and 0.3 / 0.9 together reach 0.75.
  CHECK(support({.temperature = 1, .top_k = 3, .top_p = 0.75}, kLogits) == std::set<int64_t>{1, 3});
  // The temperature comes first: at 0.5 the most probable one has 0.53.
  CHECK(support({.temperature = 0.5, .top_p = 0.5}, kLogits) == std::set<int64_t>{1});
  // Ties with the last one that top_k keeps stay.
  CHECK(support({.temperature = 1, .top_k = 2}, {0, 1, 0, -1}) == std::set<int64_t>{0, 1, 2});
}

TEST_CASE("sampling: seed and sequence decide, nothing else") {
  CHECK(drawn(7, 3) == drawn(7, 3));
  CHECK(drawn(7, 3) != drawn(8, 3));
  CHECK(drawn(7, 3) != drawn(7, 4));
  CHECK(drawn(-7, 3) != drawn(7, 3));
  const double nan = std::nan("");
  Sampler sampler({}, 0);
  CHECK_THROWS_AS(sampler.choose({0.0, nan}), std::runtime_error);
}
