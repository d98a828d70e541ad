#include "datasets/tasks/common/choices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace wkvq {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

const char* name_of(ChoiceRule rule) {
  switch (rule) {
    case ChoiceRule::kAccNorm:
      return "acc_norm";
    case ChoiceRule::kAccBytes:
      return "acc_bytes";
    case ChoiceRule::kAccMutualInfo:
      return "acc_mutual_info";
    case ChoiceRule::kAcc:
      break;
  }
  return "acc";
}

/// Columns name_0.. of one number a choice.
template <class T>
class ChoiceColumns {
 public:
  explicit ChoiceColumns(T missing) : missing_(missing) {}
  void add(const std::vector<T>& values) {
    while (columns_.size() < values.size()) columns_.emplace_back(rows_, missing_);
    for (size_t c = 0; c < columns_.size(); ++c)
      columns_[c].push_back(c < values.size() ? values[c] : missing_);
    ++rows_;
  }
  void write(Metric& metric, const std::string& name) const {
    for (size_t c = 0; c < columns_.size(); ++c)
      metric.rows[fmt::format("{}_{}", name, c)] = columns_[c];
  }

 private:
  T missing_;
  size_t rows_ = 0;
  std::vector<std::vector<T>> columns_;
};

/// Everything that an item's prediction stands on, one entry a choice.
struct ItemNumbers {
  std::vector<double> ll, unconditional, value;
  std::vector<int64_t> tokens, characters, bytes;

  ItemNumbers(ChoiceRule rule, const ChoiceItem& item, const std::vector<Scored>& scored) {
    for (size_t c = 0; c < item.choices; ++c) {
      const Scored& answer = scored.at(item.first + c);
      ll.push_back(log_likelihood(answer));
      tokens.push_back(static_cast<int64_t>(answer.nll.size()));
      if (!item.lengths.empty()) {
        characters.push_back(item.lengths[c].characters);
        bytes.push_back(item.lengths[c].bytes);
      }
      if (rule == ChoiceRule::kAccMutualInfo)
        unconditional.push_back(log_likelihood(scored.at(item.first + item.choices + c)));
      value.push_back(value_of(rule, c));
    }
  }

  int64_t prediction() const {
    if (std::any_of(value.begin(), value.end(), [](double x) { return std::isnan(x); })) return -1;
    return std::max_element(value.begin(), value.end()) - value.begin();
  }

 private:
  double value_of(ChoiceRule rule, size_t c) const {
    switch (rule) {
      case ChoiceRule::kAccNorm:
        return ll[c] / static_cast<double>(characters[c]);
      case ChoiceRule::kAccBytes:
        return ll[c] / static_cast<double>(bytes[c]);
      case ChoiceRule::kAccMutualInfo:
        return ll[c] - unconditional[c];
      case ChoiceRule::kAcc:
        break;
    }
    return ll[c];
  }
};

double standard_error(double share, double n) {
  return n < 2 ? kNone : std::sqrt(share * (1 - share) / (n - 1));
}

}  // namespace

double log_likelihood(const Scored& scored) {
  double sum = 0;
  for (const float nll : scored.nll) sum -= static_cast<double>(nll);
  return sum;
}

Metric choice_accuracy(ChoiceRule rule, const std::vector<Scored>& scored,
                       const std::vector<ChoiceItem>& items, const std::string& convention) {
  ChoiceColumns<double> ll(kNone), unconditional(kNone);
  ChoiceColumns<int64_t> tokens(-1), characters(-1), bytes(-1);
  std::vector<int64_t> number, label, prediction, correct;
  int64_t right = 0;
  for (const ChoiceItem& item : items) {
    const ItemNumbers numbers(rule, item, scored);
    ll.add(numbers.ll);
    unconditional.add(numbers.unconditional);
    if (!item.lengths.empty()) tokens.add(numbers.tokens);
    characters.add(numbers.characters);
    bytes.add(numbers.bytes);
    number.push_back(item.item);
    label.push_back(item.label);
    prediction.push_back(numbers.prediction());
    correct.push_back(prediction.back() == item.label ? 1 : 0);
    right += correct.back();
  }
  const double n = static_cast<double>(items.size());
  const double share = static_cast<double>(right) / n;
  Metric metric{name_of(rule), share, standard_error(share, n), static_cast<int64_t>(items.size()),
                convention,    {}};
  metric.rows = {
      {"item", number}, {"label", label}, {"prediction", prediction}, {"correct", correct}};
  ll.write(metric, "ll");
  if (rule == ChoiceRule::kAcc) tokens.write(metric, "tokens");
  if (rule == ChoiceRule::kAcc || rule == ChoiceRule::kAccNorm) characters.write(metric, "chars");
  if (rule == ChoiceRule::kAcc || rule == ChoiceRule::kAccBytes) bytes.write(metric, "bytes");
  if (rule == ChoiceRule::kAccMutualInfo) unconditional.write(metric, "unconditional");
  return metric;
}

double pooled_standard_error(const std::vector<Metric>& parts) {
  double squares = 0;
  double total = 0;
  for (const Metric& part : parts) {
    const double n = static_cast<double>(part.n);
    total += n;
    if (part.n > 1) squares += (n - 1) * n * part.stderr_ * part.stderr_;
  }
  const double freedom = total - static_cast<double>(parts.size());
  return freedom > 0 ? std::sqrt(squares / freedom / total) : kNone;
}

}  // namespace wkvq
