#include "datasets/tasks/common/token_scores.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "datasets/tasks/common/statistics.h"

namespace wkvq {

TokenScores::TokenScores(std::string prefix, Cluster cluster, std::vector<TokenPlace> places)
    : prefix_(std::move(prefix)), cluster_(cluster), places_(std::move(places)) {}

template <class T>
Metric TokenScores::mean(const std::string& name, const std::string& column,
                         const std::vector<Scored>& scored, std::vector<T> Scored::*field) const {
  if (scored.size() != places_.size())
    throw std::logic_error("perplexity: not one answer for every request");
  std::vector<std::vector<double>> clusters;
  std::vector<int64_t> document, window, position;
  std::vector<float> value;
  for (size_t i = 0; i < scored.size(); ++i) {
    const std::vector<T>& values = scored[i].*field;
    if (values.size() != scored[i].nll.size())
      throw std::logic_error("perplexity: an answer without a value for every scored token");
    const auto cluster = static_cast<size_t>(places_[i].cluster);
    if (cluster >= clusters.size()) clusters.resize(cluster + 1);
    clusters[cluster].insert(clusters[cluster].end(), values.begin(), values.end());
    document.insert(document.end(), values.size(), places_[i].cluster);
    window.insert(window.end(), values.size(), static_cast<int64_t>(i));
    for (size_t k = 0; k < values.size(); ++k) {
      position.push_back(places_[i].position + static_cast<int64_t>(k));
      value.push_back(static_cast<float>(values[k]));
    }
  }
  const ClusteredMean mean = clustered_mean(clusters);
  Metric metric{prefix_ + name, mean.mean, mean.standard_error, mean.n, convention, {}, attributes};
  metric.rows = {{"window", window}, {"position", position}, {column, value}};
  if (cluster_ == Cluster::kDocument) metric.rows["document"] = document;
  return metric;
}

Metric TokenScores::perplexity(const std::vector<Scored>& scored) const {
  Metric metric = mean("perplexity", "nll", scored, &Scored::nll);
  metric.value = std::exp(metric.value);
  metric.stderr_ *= metric.value;
  return metric;
}

std::vector<Metric> TokenScores::divergence(const std::vector<Scored>& scored) const {
  Metric kl = mean("kl", "kl", scored, &Scored::kl);
  std::vector<double> all;
  for (const Scored& one : scored) all.insert(all.end(), one.kl.begin(), one.kl.end());
  const auto quantile_of = [&](const std::string& name, double q) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    return Metric{prefix_ + name, quantile(all, q), none, kl.n, convention, {}, attributes};
  };
  std::vector<Metric> metrics = {std::move(kl)};
  metrics.push_back(quantile_of("kl_median", 0.5));
  metrics.push_back(quantile_of("kl_p99", 0.99));
  metrics.push_back(mean("top1_agreement", "agree", scored, &Scored::top1_agree));
  return metrics;
}

}  // namespace wkvq
