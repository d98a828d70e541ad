#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace wkvq {

/// How the next token is chosen from its logits, in this order: divided by the temperature, the
/// top_k largest kept (ties with the last one too), of these the most probable ones that together
/// reach top_p.
struct SamplingOptions {
  double temperature = 0;  ///< 0: the largest logit, of equal ones the first
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1;        ///< in (0, 1]
  int64_t seed = 0;
};

/// Chooses the tokens of one sequence. Its draws follow from seed and sequence number alone, on
/// every platform: what else is in a batch does not matter.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, int64_t sequence);

  /// `logits` of the whole vocabulary, in double. std::runtime_error where one is NaN.
  int64_t choose(const std::vector<double>& logits);

 private:
  SamplingOptions options_;
  std::mt19937_64 generator_;
};

}  // namespace wkvq
