#include "core/generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>

namespace wkvq {

namespace {

/// The standard fixes what seed_seq makes of its numbers.
std::mt19937_64 seeded(int64_t seed, int64_t sequence) {
  const auto a = static_cast<uint64_t>(seed), b = static_cast<uint64_t>(sequence);
  std::seed_seq numbers{static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32),
                        static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32)};
  return std::mt19937_64(numbers);
}

/// Uniform in [0, 1) from the top 53 bits.
double uniform(std::mt19937_64& generator) {
  return static_cast<double>(generator() >> 11) * 0x1.0p-53;
}

/// How many of `weights`, the largest first, together reach `share` of the whole.
size_t reaching(const std::vector<double>& weights, double share) {
  const double wanted = share * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i];
    if (sum >= wanted) return i + 1;
  }
  return weights.size();
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, int64_t sequence)
    : options_(options), generator_(seeded(options.seed, sequence)) {}

int64_t Sampler::choose(const std::vector<double>& logits) {
  if (std::any_of(logits.begin(), logits.end(), [](double x) { return std::isnan(x); }))
    throw std::runtime_error("sampling: a logit is not a number");
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (options_.temperature == 0) return largest - logits.begin();

  std::vector<int64_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  const auto logit = [&](int64_t token) { return logits[static_cast<size_t>(token)]; };
  const auto vocabulary = static_cast<int64_t>(logits.size());
  if (options_.top_k > 0 && options_.top_k < vocabulary) {
    std::vector<double> sorted = logits;
    const auto last = sorted.begin() + options_.top_k - 1;
    std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
    std::erase_if(tokens, [&](int64_t token) { return logit(token) < *last; });
  }
  if (options_.top_p < 1)
    std::stable_sort(tokens.begin(), tokens.end(),
                     [&](int64_t a, int64_t b) { return logit(a) > logit(b); });
  std::vector<double> weights;
  for (const int64_t token : tokens)
    weights.push_back(std::exp((logit(token) - *largest) / options_.temperature));
  if (options_.top_p < 1) weights.resize(reaching(weights, options_.top_p));

  std::partial_sum(weights.begin(), weights.end(), weights.begin());
  const double draw = uniform(generator_) * weights.back();
  const auto found = std::upper_bound(weights.begin(), weights.end() - 1, draw);
  return tokens[static_cast<size_t>(found - weights.begin())];
}

}  // namespace wkvq
