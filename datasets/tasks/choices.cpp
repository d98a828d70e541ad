#include "datasets/tasks/choices.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wkvq {

namespace {

double log_likelihood(const Scored& scored) {
  double sum = 0;
  for (const float nll : scored.nll) sum -= static_cast<double>(nll);
  return sum;
}

double standard_error(double share, double n) {
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  return std::sqrt(share * (1 - share) / (n - 1));
}

}  // namespace

Metric choice_accuracy(const std::vector<Scored>& scored, const std::vector<int64_t>& labels,
                       const std::string& convention) {
  const size_t choices = scored.size() / labels.size();
  std::vector<std::vector<double>> likelihoods(choices);
  std::vector<int64_t> item;
  std::vector<int64_t> prediction;
  std::vector<int64_t> correct;
  int64_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    std::vector<double> lls;
    for (size_t c = 0; c < choices; ++c) {
      lls.push_back(log_likelihood(scored[i * choices + c]));
      likelihoods[c].push_back(lls.back());
    }
    item.push_back(static_cast<int64_t>(i));
    const bool broken =
        std::any_of(lls.begin(), lls.end(), [](double ll) { return std::isnan(ll); });
    prediction.push_back(broken ? -1 : std::max_element(lls.begin(), lls.end()) - lls.begin());
    correct.push_back(prediction.back() == labels[i] ? 1 : 0);
    right += correct.back();
  }
  const double n = static_cast<double>(labels.size());
  const double share = static_cast<double>(right) / n;
  Metric metric{"acc",      share, standard_error(share, n), static_cast<int64_t>(labels.size()),
                convention, {}};
  metric.rows = {
      {"item", item}, {"label", labels}, {"prediction", prediction}, {"correct", correct}};
  for (size_t c = 0; c < choices; ++c) metric.rows["ll_" + std::to_string(c)] = likelihoods[c];
  return metric;
}

}  // namespace wkvq
