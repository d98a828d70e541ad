#include "datasets/tasks/likelihood/perplexity.h"

#include <cmath>

#include "datasets/tasks/common/statistics.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using Values = std::vector<std::vector<double>>;

Scored answer(std::vector<float> nll) {
  Scored scored;
  scored.nll = std::move(nll);
  return scored;
}

TEST_CASE("perplexity: requests are the windows, scored from the second token") {
  const auto task = test::task("perplexity", {{"context", "4"}});
  const auto requests = task->prepare(test::inputs(test::counting(11), 512));
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].tokens == std::vector<int32_t>{4, 5, 6, 7});
  CHECK(requests[1].score_from == 1);
  CHECK(requests[1].prefill == 0);
  CHECK_FALSE(task->needs_full_precision());
  CHECK_FALSE(task->has_prefill());
}

TEST_CASE("perplexity: context 0 is the model's most for text, the windows' own otherwise") {
  const auto task = test::task("perplexity", {{"windows", "2"}});
  CHECK(task->prepare(test::inputs(test::counting(100), 10)).size() == 2);
  CHECK(task->prepare(test::inputs(test::counting(100), 10))[0].tokens.size() == 10);
  Corpus fixed;
  fixed.windows = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  const auto requests = task->prepare(test::inputs(fixed, 10));
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].tokens == fixed.windows[1]);
}

TEST_CASE("perplexity: windows that do not fit") {
  const auto error = [](const test::Options& options, const Corpus& corpus) {
    return test::error_of(
        [&] { test::task("perplexity", options)->prepare(test::inputs(corpus, 8)); });
  };
  CHECK(error({{"context", "9"}}, test::counting(20)).find("reads at most 8") != std::string::npos);
  CHECK(error({}, test::counting(7)).find("7 tokens given, 8 needed") != std::string::npos);
  CHECK(error({{"score_from", "8"}}, test::counting(20)).find("nothing to score") !=
        std::string::npos);
  CHECK(error({{"score_from", "7"}}, test::counting(20)).empty());
  REQUIRE_CONFIG_ERROR(test::task("perplexity", {{"context", "1"}}), "context: expected");
  REQUIRE_CONFIG_ERROR(test::task("perplexity", {{"windows", "-1"}}), "windows: expected");
  REQUIRE_CONFIG_ERROR(test::task("perplexity", {{"score_from", "0"}}), "score_from: expected 1");
  REQUIRE_CONFIG_ERROR(test::task("perplexity", {{"context", "8"}, {"score_from", "8"}}),
                       "no token would be scored");
}

TEST_CASE("perplexity: a model that guesses among V tokens has perplexity V") {
  const auto task = test::task("perplexity", {{"context", "5"}});
  task->prepare(test::inputs(test::counting(15), 512));
  const float nll = std::log(4096.0f);
  const auto metrics = task->score(
      {answer({nll, nll, nll, nll}), answer({nll, nll, nll, nll}), answer({nll, nll, nll, nll})});
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].metric == "perplexity");
  // log(4096) rounded to float is off by up to 2^-22.
  CHECK(metrics[0].value == Approx(4096).epsilon(3e-7));
  // Zero but for the rounding of the sums, about 1e-16 of 4096.
  CHECK(metrics[0].stderr_ == Approx(0).margin(1e-10));
  CHECK(metrics[0].n == 12);
}

TEST_CASE("perplexity: two windows by hand") {
  const auto task = test::task("perplexity", {{"context", "3"}});
  task->prepare(test::inputs(test::counting(7), 512));
  const auto metrics = task->score({answer({1, 2}), answer({3, 4})});
  // Window means 1.5 and 3.5: mean 2.5, standard deviation sqrt(2), standard error 1.
  CHECK(metrics[0].value == Approx(std::exp(2.5)).epsilon(1e-14));
  CHECK(metrics[0].stderr_ == Approx(std::exp(2.5)).epsilon(1e-14));
  CHECK(metrics[0].n == 4);
  CHECK(metrics[0].convention ==
        "GPTQ windows, context 3, tail dropped, 2 windows, no BOS added to a window, tokens 1..2 "
        "scored; counting");
  CHECK(test::rows<int64_t>(metrics[0], "window") == std::vector<int64_t>{0, 0, 1, 1});
  CHECK(test::rows<int64_t>(metrics[0], "position") == std::vector<int64_t>{1, 2, 1, 2});
  CHECK(test::rows<float>(metrics[0], "nll") == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("perplexity: one window has no standard error") {
  const auto task = test::task("perplexity", {{"context", "3"}, {"windows", "1"}});
  task->prepare(test::inputs(test::counting(7), 512));
  const auto metrics = task->score({answer({1, 2})});
  CHECK(metrics[0].value == Approx(std::exp(1.5)).epsilon(1e-14));
  CHECK(std::isnan(metrics[0].stderr_));
}

TEST_CASE("perplexity: score_from is in requests, rows and convention") {
  const auto task = test::task("perplexity", {{"context", "4"}, {"score_from", "2"}});
  const auto requests = task->prepare(test::inputs(test::counting(8), 512));
  CHECK(requests[0].score_from == 2);
  CHECK(requests[0].tokens.size() == 4);
  const auto metrics = task->score({answer({1, 2}), answer({3, 4})});
  CHECK(test::rows<int64_t>(metrics[0], "position") == std::vector<int64_t>{2, 3, 2, 3});
  CHECK(metrics[0].convention.find("tokens 2..3 scored") != std::string::npos);
}

TEST_CASE("perplexity: fixed windows say so") {
  Corpus fixed;
  fixed.windows = {{1, 2, 3}, {4, 5, 6}};
  fixed.convention = "token ids x";
  const auto task = test::task("perplexity", {});
  task->prepare(test::inputs(fixed, 512));
  const auto metrics = task->score({answer({1, 2}), answer({3, 4})});
  CHECK(metrics[0].convention ==
        "fixed windows, context 3, 2 windows, no BOS added to a window, tokens 1..2 scored; token "
        "ids x");
}

TEST_CASE("perplexity: divergence from full precision") {
  const auto task = test::task("perplexity", {{"context", "3"}, {"kl", "true"}});
  CHECK(task->needs_full_precision());
  task->prepare(test::inputs(test::counting(6), 512));
  Scored first = answer({1, 2});
  first.kl = {0, 0.5f};
  first.full_nll = {1, 1};
  first.top1_agree = {1, 0};
  Scored second = answer({3, 4});
  second.kl = {1, 2.5f};
  second.full_nll = {2, 4};
  second.top1_agree = {1, 1};
  const auto metrics = task->score({first, second});
  REQUIRE(metrics.size() == 8);
  const Metric& kl = metrics[1];
  CHECK(kl.metric == "kl");
  CHECK(kl.value == 1.0);
  // Window means 0.25 and 1.75: half their distance.
  CHECK(kl.stderr_ == Approx(0.75).epsilon(1e-14));
  CHECK(kl.n == 4);
  CHECK(test::rows<float>(kl, "kl") == std::vector<float>{0, 0.5f, 1, 2.5f});
  CHECK(metrics[2].metric == "kl_median");
  CHECK(metrics[2].value == 0.75);
  CHECK(metrics[3].metric == "kl_p99");
  // Rank 0.99 * 3 = 2.97 of 0, 0.5, 1, 2.5.
  CHECK(metrics[3].value == Approx(1 + 0.97 * 1.5).epsilon(1e-14));
  CHECK(std::isnan(metrics[3].stderr_));
  CHECK(metrics[4].metric == "top1_agreement");
  CHECK(metrics[4].value == 0.75);
  CHECK(test::rows<float>(metrics[4], "agree") == std::vector<float>{1, 0, 1, 1});
  SECTION("beside llama.cpp's statistics, by hand") {
    const auto fact = [](const Metric& metric, const std::string& name) {
      return std::get<double>(metric.attributes.at(name));
    };
    // NLL 1, 2, 3, 4 against 1, 1, 2, 4: differences 0, 1, 1, 0; window means 0.5 and 0.5.
    const Metric& ratio = metrics[5];
    CHECK(ratio.metric == "perplexity_ratio");
    CHECK(ratio.value == Approx(std::exp(0.5)).epsilon(1e-14));
    CHECK(ratio.stderr_ == Approx(0).margin(1e-15));
    // Mean of squares 0.5, square of the mean 0.25, three degrees of freedom.
    CHECK(fact(ratio, "stderr_tokens") ==
          Approx(std::exp(0.5) * std::sqrt(0.25 / 3)).epsilon(1e-14));
    CHECK(fact(ratio, "perplexity_full") == Approx(std::exp(2.0)).epsilon(1e-14));
    // Covariance 5.0 of squares 5 and 6: (1.5 + 0.5 + 0 + 3) / sqrt(5 * 6).
    CHECK(fact(ratio, "correlation") == Approx(5 / std::sqrt(30.0)).epsilon(1e-14));
    // Probabilities: 0, e^-2 - e^-1, e^-3 - e^-2, 0.
    const double a = std::exp(-2.0) - std::exp(-1.0), b = std::exp(-3.0) - std::exp(-2.0);
    const Metric& delta = metrics[6];
    CHECK(delta.metric == "delta_p");
    CHECK(delta.value == Approx((a + b) / 4).epsilon(1e-14));
    CHECK(delta.stderr_ == Approx(std::abs(a / 2 - b / 2) / 2).epsilon(1e-14));
    CHECK(fact(delta, "smallest") == a);
    CHECK(fact(delta, "percentile_50") == Approx(b / 2).epsilon(1e-14));
    // Rank 0.75 of a, b, 0, 0.
    CHECK(fact(delta, "percentile_25") == Approx(a / 4 + b * 3 / 4).epsilon(1e-14));
    CHECK(fact(delta, "largest") == 0);
    const double squares = (a * a + b * b) / 4;
    CHECK(fact(delta, "stderr_tokens") ==
          Approx(std::sqrt((squares - delta.value * delta.value) / 3)).epsilon(1e-13));
    const Metric& rms = metrics[7];
    CHECK(rms.metric == "delta_p_rms");
    CHECK(rms.value == Approx(std::sqrt(squares)).epsilon(1e-14));
    const double fourth = (std::pow(a, 4) + std::pow(b, 4)) / 4;
    CHECK(fact(rms, "stderr_tokens") ==
          Approx(0.5 / rms.value * std::sqrt((fourth - squares * squares) / 3)).epsilon(1e-13));
    CHECK(fact(kl, "percentile_99_9") == Approx(1 + 0.997 * 1.5).epsilon(1e-14));
  }
  SECTION("a model against itself has no error") {
    second.full_nll = second.nll;
    first.full_nll = first.nll;
    const auto same = task->score({first, second});
    CHECK(same[5].value == 1);
    CHECK(same[6].value == 0);
    CHECK(same[7].value == 0);
    CHECK(same[7].stderr_ == 0);
  }
  SECTION("an answer without it is a mistake of the caller") {
    CHECK_THROWS_AS(task->score({answer({1, 2}), answer({3, 4})}), std::logic_error);
  }
}

TEST_CASE("clustered mean: windows of unequal length weigh by their tokens") {
  // Mean (1+1+1+5)/4 = 2; deviations of the sums: 3-6 = -3, 5-2 = 3; sqrt(2/1 * 18) / 4 = 1.5.
  const ClusteredMean mean = clustered_mean(Values{{1, 1, 1}, {5}});
  CHECK(mean.mean == 2.0);
  CHECK(mean.standard_error == 1.5);
  CHECK(mean.n == 4);
}

TEST_CASE("quantiles interpolate between order statistics") {
  CHECK(quantile({5}, 0.99) == 5);
  CHECK(quantile({3, 1, 2}, 0.5) == 2);
  CHECK(quantile({4, 1, 3, 2}, 0.5) == 2.5);
  CHECK(quantile({4, 1, 3, 2}, 0) == 1);
  CHECK(quantile({4, 1, 3, 2}, 1) == 4);
}

TEST_CASE("task names: every one can be made, others are refused by name") {
  for (const std::string& name : task_names()) CHECK(make_task(name)->summary().size() > 10);
  REQUIRE_CONFIG_ERROR(make_task("ppl"), "unknown task 'ppl'; did you mean 'perplexity'?");
}

}  // namespace
}  // namespace wkvq
