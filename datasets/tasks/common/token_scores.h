#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Where the scored tokens of one request belong.
struct TokenPlace {
  int64_t cluster = 0;   ///< window or document: tokens of one are not independent
  int64_t position = 1;  ///< of the first scored token in its window, 0-based
};

/// The metrics over scored tokens that all conventions of perplexity share. Their names begin with
/// `prefix`, so that numbers of two conventions never share one.
///
/// `perplexity` = exp(m), m the mean NLL over all scored tokens; its standard error is that of m
/// over clusters (clustered_mean) times exp(m): the delta method; NaN with one cluster. `kl` = mean
/// KL(full precision || this) a token, `kl_median` and `kl_p99` its quantiles over the rows of `kl`
/// (no standard error: NaN, no rows of their own), `top1_agreement` = share of tokens where both
/// models have the same arg max. Rows, one a token: `window` (number of the request), `position`
/// and nll, kl or agree; where clusters are documents also `document`.
///
/// Beside these, what llama.cpp's `perplexity --kl-divergence` prints, with p the probability of the
/// token: `perplexity_ratio` = exp(mean of nll - full precision's nll), its error that of the paired
/// differences; `delta_p` = mean p - full precision's p; `delta_p_rms`, its root mean square. Rows
/// nll_difference, delta_p. Attributes: `stderr_tokens`, the error that llama.cpp prints, which
/// takes tokens for independent; `smallest`, `percentile_1` and so on, `largest` of kl and delta_p;
/// of the ratio `perplexity_full` and `correlation` (of both NLLs over tokens).
class TokenScores {
 public:
  enum class Cluster { kWindow, kDocument };

  TokenScores() = default;
  TokenScores(std::string prefix, Cluster cluster, std::vector<TokenPlace> places);

  Metric perplexity(const std::vector<Scored>& scored) const;
  /// kl, kl_median, kl_p99, top1_agreement, perplexity_ratio, delta_p, delta_p_rms.
  /// std::logic_error where an answer has none.
  std::vector<Metric> divergence(const std::vector<Scored>& scored) const;

  /// Goes into every metric, as do these further facts.
  std::string convention;
  std::map<std::string, AttributeValue> attributes;

 private:
  /// A value of every scored token of an answer.
  using Values = std::function<std::vector<double>(const Scored&)>;
  /// The mean of `values` over all tokens with its rows in `column`.
  Metric mean(const std::string& name, const std::string& column, const std::vector<Scored>& scored,
              const Values& values) const;
  std::vector<Metric> beside_llama_cpp(const std::vector<Scored>& scored) const;

  std::string prefix_;
  Cluster cluster_ = Cluster::kWindow;
  std::vector<TokenPlace> places_;
};

}  // namespace wkvq
