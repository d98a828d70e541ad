#include "datasets/tasks/likelihood/trajectory.h"

#include <cmath>

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

const test::Options kTwo{
    {"prompts", "2"}, {"prompt_tokens", "3"}, {"max_tokens", "4"}, {"buckets", "2"}};

Scored answer(std::vector<float> kl, std::vector<int32_t> followed, std::vector<int32_t> generated,
              std::vector<float> generated_nll) {
  Scored scored;
  scored.nll = {1, 1, 1, 1};
  scored.full_nll = {0.5f, 0.5f, 1, 1};
  scored.kl = std::move(kl);
  scored.top1_agree = {1, 1, 0, 1};
  scored.followed = std::move(followed);
  scored.generated = std::move(generated);
  scored.generated_nll = std::move(generated_nll);
  return scored;
}

TEST_CASE("trajectory: prompts are the beginnings of windows, and say what is written") {
  const auto task = test::task("trajectory", kTwo);
  const auto requests = task->prepare(test::inputs(test::counting(20), 512));
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].tokens == std::vector<int32_t>{0, 1, 2});
  // Windows hold prompt and text, so that no prompt is another's continuation.
  CHECK(requests[1].tokens == std::vector<int32_t>{7, 8, 9});
  CHECK(requests[1].prefill == 3);
  CHECK(requests[1].score_from == 3);
  CHECK(requests[1].generation.max_tokens == 4);
  CHECK(requests[1].generation.temperature == 0);
  CHECK(task->follows());
  CHECK(task->generates());
  Corpus fixed;
  fixed.windows = {{1, 2, 3, 4}, {5, 6, 7}};
  CHECK(task->prepare(test::inputs(fixed, 512))[1].tokens == std::vector<int32_t>{5, 6, 7});
}

TEST_CASE("trajectory: two prompts by hand") {
  const auto task = test::task("trajectory", kTwo);
  task->prepare(test::inputs(test::counting(20), 512));
  const auto metrics =
      task->score({answer({0, 1, 2, 3}, {9, 8, 7, 6}, {9, 8, 5, 6}, {1, 2, 3, 4}),
                   answer({0, 0, 1, 1}, {9, 8, 7, 6}, {9, 8, 7, 6}, {1, 1, 1, 1})});
  std::map<std::string, Metric> by_name;
  for (const Metric& metric : metrics) by_name[metric.metric] = metric;
  REQUIRE(by_name.size() == 9);
  const Metric& kl = by_name.at("trajectory_kl");
  // Means of the prompts 1.5 and 0.5: half their distance.
  CHECK(kl.value == 1);
  CHECK(kl.stderr_ == Approx(0.5).epsilon(1e-14));
  CHECK(kl.n == 8);
  CHECK(test::rows<float>(kl, "kl") == std::vector<float>{0, 1, 2, 3, 0, 0, 1, 1});
  CHECK(test::rows<int64_t>(kl, "position") == std::vector<int64_t>{1, 2, 3, 4, 1, 2, 3, 4});
  CHECK(by_name.at("trajectory_kl_1_2").value == 0.25);
  CHECK(by_name.at("trajectory_kl_3_4").value == 1.75);
  CHECK(by_name.at("trajectory_top1").value == 0.75);
  const Metric& divergence = by_name.at("first_divergence");
  CHECK(test::rows<int64_t>(divergence, "tokens") == std::vector<int64_t>{2, 4});
  CHECK(divergence.value == 3);
  CHECK(divergence.n == 2);
  CHECK(std::get<int64_t>(divergence.attributes.at("never")) == 1);
  CHECK(by_name.at("equal_tokens").value == 7.0 / 8);
  CHECK(by_name.at("followed_nll").value == 0.75);
  const Metric& written = by_name.at("written_nll");
  CHECK(written.value == 14.0 / 8);
  CHECK(test::rows<int64_t>(written, "token") == std::vector<int64_t>{9, 8, 5, 6, 9, 8, 7, 6});
  const Metric& increase = by_name.at("written_nll_increase");
  CHECK(test::rows<double>(increase, "nll_increase") == std::vector<double>{1.75, 0.25});
  CHECK(increase.value == 1);
  CHECK(increase.stderr_ == Approx(0.75).epsilon(1e-14));
  CHECK(kl.convention.find("2 prompts of 3 tokens, 4 tokens written after each, greedy") !=
        std::string::npos);
}

TEST_CASE("trajectory: what does not fit is refused by name") {
  const auto error = [](const test::Options& options, const Corpus& corpus) {
    return test::error_of(
        [&] { test::task("trajectory", options)->prepare(test::inputs(corpus, 16)); });
  };
  CHECK(error({}, test::counting(200)).find("reads at most 16") != std::string::npos);
  CHECK(error(kTwo, test::counting(13)).find("prompts") != std::string::npos);
  Corpus fixed;
  fixed.windows = {{1, 2, 3}, {4, 5}};
  CHECK(error(kTwo, fixed).find("a window of 2 tokens for a prompt of 3") != std::string::npos);
  REQUIRE_CONFIG_ERROR(test::task("trajectory", {{"temperature", "-1"}}), "expected 0 or more");
  REQUIRE_CONFIG_ERROR(test::task("trajectory", {{"seed", "3"}}), "nothing is drawn");
  REQUIRE_CONFIG_ERROR(test::task("trajectory", {{"buckets", "65"}}), "no more than max_tokens");
}

}  // namespace
}  // namespace wkvq
