#include "datasets/tasks/common/token_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "datasets/tasks/common/statistics.h"

namespace wkvq {

namespace {

template <class T>
auto field(std::vector<T> Scored::*member) {
  return [member](const Scored& one) {
    return std::vector<double>((one.*member).begin(), (one.*member).end());
  };
}

template <class Values>
std::vector<double> over_all(const std::vector<Scored>& scored, const Values& values_of) {
  std::vector<double> all;
  for (const Scored& one : scored) {
    const std::vector<double> values = values_of(one);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// Those that llama.cpp prints, of KL and of delta p, and its error of the mean.
void add_percentiles(Metric& metric, const std::vector<double>& values) {
  static const std::vector<std::pair<const char*, double>> shown{
      {"smallest", 0},         {"percentile_0_1", 0.001}, {"percentile_1", 0.01},
      {"percentile_5", 0.05},  {"percentile_10", 0.1},    {"percentile_25", 0.25},
      {"percentile_50", 0.5},  {"percentile_75", 0.75},   {"percentile_90", 0.9},
      {"percentile_95", 0.95}, {"percentile_99", 0.99},   {"percentile_99_9", 0.999},
      {"largest", 1}};
  for (const auto& [name, share] : shown) metric.attributes[name] = quantile(values, share);
  metric.attributes["stderr_tokens"] = independent_error(values);
}

}  // namespace

TokenScores::TokenScores(std::string prefix, Cluster cluster, std::vector<TokenPlace> places)
    : prefix_(std::move(prefix)), cluster_(cluster), places_(std::move(places)) {}

Metric TokenScores::mean(const std::string& name, const std::string& column,
                         const std::vector<Scored>& scored, const Values& values_of) const {
  if (scored.size() != places_.size())
    throw std::logic_error("perplexity: not one answer for every request");
  std::vector<std::vector<double>> clusters;
  std::vector<int64_t> document, window, position;
  std::vector<float> value;
  for (size_t i = 0; i < scored.size(); ++i) {
    const std::vector<double> values = values_of(scored[i]);
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
  Metric metric = mean("perplexity", "nll", scored, field(&Scored::nll));
  metric.value = std::exp(metric.value);
  metric.stderr_ *= metric.value;
  return metric;
}

std::vector<Metric> TokenScores::divergence(const std::vector<Scored>& scored) const {
  Metric kl = mean("kl", "kl", scored, field(&Scored::kl));
  const std::vector<double> values = over_all(scored, field(&Scored::kl));
  const auto quantile_of = [&](const std::string& name, double q) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    return Metric{prefix_ + name, quantile(values, q), none, kl.n, convention, {}, attributes};
  };
  add_percentiles(kl, values);
  std::vector<Metric> metrics = {std::move(kl)};
  metrics.push_back(quantile_of("kl_median", 0.5));
  metrics.push_back(quantile_of("kl_p99", 0.99));
  metrics.push_back(mean("top1_agreement", "agree", scored, field(&Scored::top1_agree)));
  std::ranges::move(beside_llama_cpp(scored), std::back_inserter(metrics));
  return metrics;
}

std::vector<Metric> TokenScores::beside_llama_cpp(const std::vector<Scored>& scored) const {
  const Values nll = field(&Scored::nll), full = field(&Scored::full_nll);
  const auto each = [&](const std::function<double(double, double)>& of) {
    return [=](const Scored& one) {
      std::vector<double> values = full(one);
      if (values.size() == one.nll.size())
        for (size_t i = 0; i < values.size(); ++i)
          values[i] = of(static_cast<double>(one.nll[i]), values[i]);
      return values;
    };
  };
  const Values difference = each(std::minus<>());
  const Values delta = each([](double q, double f) { return std::exp(-q) - std::exp(-f); });
  const Values square =
      each([](double q, double f) { return std::pow(std::exp(-q) - std::exp(-f), 2); });

  Metric ratio = mean("perplexity_ratio", "nll_difference", scored, difference);
  ratio.value = std::exp(ratio.value);
  ratio.stderr_ *= ratio.value;
  const std::vector<double> full_nll = over_all(scored, full);
  ratio.attributes["stderr_tokens"] = ratio.value * independent_error(over_all(scored, difference));
  ratio.attributes["perplexity_full"] = std::exp(
      std::accumulate(full_nll.begin(), full_nll.end(), 0.0) / static_cast<double>(ratio.n));
  ratio.attributes["correlation"] = correlation(over_all(scored, nll), full_nll);

  Metric delta_p = mean("delta_p", "delta_p", scored, delta);
  add_percentiles(delta_p, over_all(scored, delta));

  Metric rms = mean("delta_p_rms", "delta_p_squared", scored, square);
  rms.value = std::sqrt(rms.value);
  // The delta method; models that agree everywhere have no error.
  const double slope = rms.value > 0 ? 0.5 / rms.value : 0;
  rms.stderr_ *= slope;
  rms.attributes["stderr_tokens"] = slope * independent_error(over_all(scored, square));
  return {std::move(ratio), std::move(delta_p), std::move(rms)};
}

}  // namespace wkvq
