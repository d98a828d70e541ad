#pragma once

#include <cstdint>
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
class TokenScores {
 public:
  enum class Cluster { kWindow, kDocument };

  TokenScores() = default;
  TokenScores(std::string prefix, Cluster cluster, std::vector<TokenPlace> places);

  Metric perplexity(const std::vector<Scored>& scored) const;
  /// kl, kl_median, kl_p99, top1_agreement. std::logic_error where an answer has none.
  std::vector<Metric> divergence(const std::vector<Scored>& scored) const;

  /// Goes into every metric, as do these further facts.
  std::string convention;
  std::map<std::string, AttributeValue> attributes;

 private:
  /// The mean of `field` over all tokens with its rows in `column`.
  template <class T>
  Metric mean(const std::string& name, const std::string& column, const std::vector<Scored>& scored,
              std::vector<T> Scored::*field) const;

  std::string prefix_;
  Cluster cluster_ = Cluster::kWindow;
  std::vector<TokenPlace> places_;
};

}  // namespace wkvq
