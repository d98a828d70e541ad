#include "datasets/tasks/common/choices.h"

#include <cmath>

#include "datasets/tasks/choice/continuation_metrics.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;

/// An answer of two tokens.
Scored answer(float ll) {
  return {.nll = {-ll / 2, -ll / 2}};
}

std::vector<Scored> answers(const std::vector<float>& lls) {
  std::vector<Scored> scored;
  for (const float ll : lls) scored.push_back(answer(ll));
  return scored;
}

Ints predictions(ChoiceRule rule, const std::vector<Scored>& scored,
                 const std::vector<ChoiceItem>& items) {
  return test::rows<int64_t>(choice_accuracy(rule, scored, items, ""), "prediction");
}

/// One item with a choice of each length.
ChoiceItem item(int64_t label, std::vector<TextLength> lengths) {
  return {.item = 0, .first = 0, .choices = lengths.size(), .label = label, .lengths = lengths};
}

TEST_CASE("choices: the same answers, four rules, four predictions") {
  // LL -6, -4, -9, -8 of 2 characters and 6 bytes, 1 and 1, 9 and 9, 3 and 12:
  // / characters -3, -4, -1, -2.67; / bytes -1, -4, -1, -0.67; minus unconditional -1, 0, 0, 1.
  const auto scored = answers({-6, -4, -9, -8, -5, -4, -9, -9});
  const std::vector<ChoiceItem> items = {item(2, {{2, 6}, {1, 1}, {9, 9}, {3, 12}})};
  CHECK(predictions(ChoiceRule::kAcc, scored, items) == Ints{1});
  CHECK(predictions(ChoiceRule::kAccNorm, scored, items) == Ints{2});
  CHECK(predictions(ChoiceRule::kAccBytes, scored, items) == Ints{3});
  CHECK(predictions(ChoiceRule::kAccMutualInfo, scored, items) == Ints{3});
  const Metric norm = choice_accuracy(ChoiceRule::kAccNorm, scored, items, "words");
  CHECK(norm.metric == "acc_norm");
  CHECK(norm.value == 1.0);
  CHECK(norm.n == 1);
  CHECK(std::isnan(norm.stderr_));
  CHECK(norm.convention == "words");
}

TEST_CASE("choices: ties go to the first, NaN is never right") {
  CHECK(predictions(ChoiceRule::kAcc, answers({-3, -2, -2}), {item(1, {{1, 1}, {1, 1}, {1, 1}})}) ==
        Ints{1});
  CHECK(predictions(ChoiceRule::kAccNorm, answers({-4, -2}), {item(0, {{2, 2}, {1, 1}})}) ==
        Ints{0});
  const auto broken = answers({-1, std::nanf("")});
  for (const ChoiceRule rule : {ChoiceRule::kAcc, ChoiceRule::kAccNorm, ChoiceRule::kAccBytes}) {
    const Metric metric = choice_accuracy(rule, broken, {item(0, {{1, 1}, {1, 1}})}, "");
    CHECK(test::rows<int64_t>(metric, "prediction") == Ints{-1});
    CHECK(metric.value == 0.0);
  }
  // An empty text: -1 / 0 is minus infinity, which loses.
  CHECK(predictions(ChoiceRule::kAccNorm, answers({-1, -9}), {item(1, {{0, 0}, {1, 1}})}) ==
        Ints{1});
}

TEST_CASE("choices: rows of items with unequal numbers of choices") {
  const auto scored = answers({-1, -2, -3, -5, -4});
  const std::vector<ChoiceItem> items = {
      {.item = 0, .first = 0, .choices = 2, .label = 0, .lengths = {{4, 5}, {6, 6}}},
      {.item = 1, .first = 2, .choices = 3, .label = 1, .lengths = {{1, 1}, {2, 2}, {3, 3}}}};
  const Metric acc = choice_accuracy(ChoiceRule::kAcc, scored, items, "");
  CHECK(acc.value == 0.5);
  CHECK(acc.stderr_ == 0.5);  // sqrt(0.25 / 1)
  CHECK(test::rows<double>(acc, "ll_1") == Reals{-2, -5});
  const Reals third = test::rows<double>(acc, "ll_2");
  CHECK(std::isnan(third[0]));
  CHECK(third[1] == -4);
  CHECK(test::rows<int64_t>(acc, "tokens_2") == Ints{-1, 2});
  CHECK(test::rows<int64_t>(acc, "chars_0") == Ints{4, 1});
  CHECK(test::rows<int64_t>(acc, "bytes_0") == Ints{5, 1});
  CHECK(test::rows<int64_t>(acc, "correct") == Ints{1, 0});
  CHECK(acc.rows.size() == 4 + 4 * 3);
  const Metric norm = choice_accuracy(ChoiceRule::kAccNorm, scored, items, "");
  CHECK(norm.rows.contains("chars_2"));
  CHECK_FALSE(norm.rows.contains("bytes_2"));
}

TEST_CASE("choices: pooled standard error by hand") {
  const auto part = [](int64_t n, double error) { return Metric{"acc", 0, error, n, {}, {}}; };
  // (2 * 3 * 0.01 + 4 * 5 * 0.04) / (8 - 2) / 8 = 0.86 / 48.
  CHECK(pooled_standard_error({part(3, 0.1), part(5, 0.2)}) == Approx(std::sqrt(0.86 / 48)));
  CHECK(pooled_standard_error({part(1, std::nan("")), part(2, 0.5)}) ==
        Approx(std::sqrt(2 * 0.25 / 1 / 3)));
  CHECK(std::isnan(pooled_standard_error({part(1, std::nan("")), part(1, std::nan(""))})));
}

TEST_CASE("continuations: greedy matches and perplexity by hand") {
  std::vector<Scored> scored = answers({-2, -4});
  scored[0].greedy = {1, 1};
  scored[1].greedy = {1, 0};
  const std::vector<ChoiceItem> items = {{.item = 0, .first = 0, .choices = 1},
                                         {.item = 1, .first = 1, .choices = 1}};
  const Metric acc = continuation_accuracy(scored, items, "words");
  CHECK(acc.value == 0.5);
  CHECK(acc.stderr_ == 0.5);
  CHECK(test::rows<int64_t>(acc, "greedy") == Ints{1, 0});
  CHECK(test::rows<int64_t>(acc, "tokens") == Ints{2, 2});
  const Metric perplexity = continuation_perplexity(scored, items, "words");
  CHECK(perplexity.value == Approx(std::exp(3.0)));
  // Standard deviation of {-2, -4} is sqrt(2): its mean's error is 1.
  CHECK(perplexity.stderr_ == Approx(std::exp(3.0)));
  CHECK(perplexity.n == 2);
  CHECK(test::rows<double>(perplexity, "ll") == Reals{-2, -4});
}

}  // namespace
}  // namespace wkvq
