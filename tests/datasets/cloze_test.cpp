#include "datasets/tasks/likelihood/cloze.h"

#include <cmath>
#include <set>

#include "datasets/random/random.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using Ids = std::vector<int32_t>;

const test::Options kSmall = {{"items", "30"}, {"context", "4"}, {"continuation", "3"}};

bool same(const std::vector<Request>& a, const std::vector<Request>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].tokens != b[i].tokens || a[i].score_from != b[i].score_from) return false;
  }
  return true;
}

/// In text 0, 1, 2, ... the true continuation goes on counting.
bool counts_on(const Ids& tokens) {
  for (size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i] != tokens[i - 1] + 1) return false;
  }
  return true;
}

Scored log_likelihood(float value) {
  Scored scored;
  scored.nll = {-value / 2, -value / 2};
  return scored;
}

std::vector<Scored> answers(const std::vector<float>& values) {
  std::vector<Scored> scored;
  for (const float value : values) scored.push_back(log_likelihood(value));
  return scored;
}

/// Labels, out of the rows.
std::vector<int64_t> labels_of(const Task& task, size_t items) {
  return test::rows<int64_t>(task.score(answers(std::vector<float>(4 * items, -1)))[0], "label");
}

void check_items(const std::vector<Request>& requests, const std::vector<int64_t>& labels) {
  for (size_t i = 0; i < labels.size(); ++i) {
    std::set<Ids> choices;
    const Ids& first = requests[4 * i].tokens;
    for (size_t c = 0; c < 4; ++c) {
      const Request& request = requests[4 * i + c];
      CHECK(request.tokens.size() == 7);
      CHECK(request.score_from == 4);
      CHECK(request.prefill == 4);
      CHECK(Ids(request.tokens.begin(), request.tokens.begin() + 4) ==
            Ids(first.begin(), first.begin() + 4));
      CHECK(counts_on(request.tokens) == (static_cast<int64_t>(c) == labels[i]));
      CHECK(counts_on(Ids(request.tokens.begin() + 4, request.tokens.end())));
      choices.emplace(request.tokens.begin() + 4, request.tokens.end());
    }
    CHECK(choices.size() == 4);
  }
}

TEST_CASE("cloze: the truth once, at the label, three others from elsewhere") {
  const auto task = test::task("cloze", kSmall);
  const auto requests = task->prepare(test::inputs(test::counting(200), 512));
  REQUIRE(requests.size() == 120);
  const auto labels = labels_of(*task, 30);
  check_items(requests, labels);
  CHECK(task->has_prefill());
  CHECK(std::set<int64_t>(labels.begin(), labels.end()).size() == 4);
  std::set<Ids> contexts;
  for (size_t i = 0; i < requests.size(); i += 4) {
    contexts.emplace(requests[i].tokens.begin(), requests[i].tokens.begin() + 4);
  }
  CHECK(contexts.size() == 30);
}

TEST_CASE("cloze: fixed windows are never crossed") {
  Corpus corpus;
  for (int32_t w = 0; w < 5; ++w) {
    Ids window;
    for (int32_t i = 0; i < 12; ++i) window.push_back(100 * w + i);
    corpus.windows.push_back(window);
  }
  const auto task = test::task("cloze", kSmall);
  const auto requests = task->prepare(test::inputs(corpus, 512));
  check_items(requests, labels_of(*task, 30));
  SECTION("every place can be asked for, one more cannot") {
    // 12 - 7 + 1 = 6 places in each of 5 windows.
    REQUIRE_CONFIG_ERROR(
        test::task("cloze", {{"items", "31"}, {"context", "4"}, {"continuation", "3"}})
            ->prepare(test::inputs(corpus, 512)),
        "it has 30 places for 4 + 3 tokens, 31 items asked for");
  }
}

TEST_CASE("cloze: the seed alone decides") {
  const auto prepare = [](const char* seed) {
    test::Options options = kSmall;
    options["seed"] = seed;
    return test::task("cloze", options)->prepare(test::inputs(test::counting(200), 512));
  };
  CHECK(same(prepare("5"), prepare("5")));
  CHECK_FALSE(same(prepare("5"), prepare("6")));
  CHECK_FALSE(same(prepare("5"), prepare("-5")));
  const auto task = test::task("cloze", kSmall);
  const auto once = task->prepare(test::inputs(test::counting(200), 512));
  CHECK(same(once, task->prepare(test::inputs(test::counting(200), 512))));
}

// From a Python model of generator and drawing: the same items on every platform, in every
// version.
TEST_CASE("cloze: the first item of seed 0") {
  const auto task = test::task("cloze", kSmall);
  const auto requests = task->prepare(test::inputs(test::counting(200), 512));
  CHECK(requests[0].tokens == Ids{129, 130, 131, 132, 83, 84, 85});
  CHECK(requests[1].tokens == Ids{129, 130, 131, 132, 189, 190, 191});
  CHECK(requests[119].tokens == Ids{93, 94, 95, 96, 167, 168, 169});
  const auto labels = labels_of(*task, 30);
  CHECK(std::vector<int64_t>(labels.begin(), labels.begin() + 5) ==
        std::vector<int64_t>{3, 3, 1, 3, 0});
}

TEST_CASE("cloze: accuracy, ties and standard error by hand") {
  const auto task = test::task("cloze", {{"items", "2"}, {"context", "4"}, {"continuation", "2"}});
  task->prepare(test::inputs(test::counting(100), 512));
  const auto labels = labels_of(*task, 2);
  std::vector<float> values(8, -8);
  values[static_cast<size_t>(labels[0])] = -2;
  const size_t wrong = static_cast<size_t>(labels[1] + 1) % 4;
  values[4 + wrong] = -4;
  const Metric metric = task->score(answers(values))[0];
  CHECK(metric.metric == "acc");
  CHECK(metric.value == 0.5);
  // Sample variance of {1, 0} is 0.5; sqrt(0.5 / 2).
  CHECK(metric.stderr_ == 0.5);
  CHECK(metric.n == 2);
  CHECK(test::rows<int64_t>(metric, "item") == std::vector<int64_t>{0, 1});
  CHECK(test::rows<int64_t>(metric, "correct") == std::vector<int64_t>{1, 0});
  CHECK(test::rows<int64_t>(metric, "prediction") ==
        std::vector<int64_t>{labels[0], static_cast<int64_t>(wrong)});
  const std::string best = "ll_" + std::to_string(labels[0]);
  CHECK(test::rows<double>(metric, best)[0] == -2.0);
  CHECK(metric.rows.size() == 8);
  CHECK(metric.convention ==
        "cloze: 2 items, context 4 tokens, 4 continuations of 2 tokens, 3 of them from elsewhere "
        "in the corpus, seed 0, arg max of the summed log-likelihood; counting");
  SECTION("the first index wins ties") {
    const Metric tied = task->score(answers({-3, -3, -3, -3, -9, -2, -2, -9}))[0];
    CHECK(test::rows<int64_t>(tied, "prediction") == std::vector<int64_t>{0, 1});
  }
  SECTION("NaN is never right") {
    const Metric broken = task->score(answers(std::vector<float>(8, std::nanf(""))))[0];
    CHECK(test::rows<int64_t>(broken, "prediction") == std::vector<int64_t>{-1, -1});
    CHECK(broken.value == 0.0);
  }
  CHECK_THROWS_AS(task->score(answers({-1, -2, -3, -4})), std::logic_error);
}

TEST_CASE("cloze: one item has no standard error") {
  const auto task = test::task("cloze", {{"items", "1"}});
  task->prepare(test::inputs(test::counting(500), 512));
  CHECK(std::isnan(task->score(answers({-1, -2, -3, -4}))[0].stderr_));
}

TEST_CASE("cloze: corpora and options that cannot be used") {
  const auto error = [](const test::Options& options, const Corpus& corpus) {
    return test::error_of([&] { test::task("cloze", options)->prepare(test::inputs(corpus, 64)); });
  };
  CHECK(error(kSmall, test::counting(6)).find("it has 0 places") != std::string::npos);
  CHECK(error({{"items", "1"}, {"context", "62"}}, test::counting(500)).find("reads at most 64") !=
        std::string::npos);
  Corpus repeating;
  repeating.stream.assign(100, 7);
  CHECK(error(kSmall, repeating).find("does not hold 4 different continuations") !=
        std::string::npos);
  REQUIRE_CONFIG_ERROR(test::task("cloze", {{"items", "0"}}), "items: expected 1");
  REQUIRE_CONFIG_ERROR(test::task("cloze", {{"context", "0"}}), "context: expected");
  REQUIRE_CONFIG_ERROR(test::task("cloze", {{"continuation", "9223372036854775807"}}),
                       "continuation: expected");
}

// mt19937_64's 10000th number from its default seed is fixed by the C++ standard.
TEST_CASE("bounded random numbers: in range, all of them, the standard's stream") {
  BoundedRandom random(5489);
  for (int i = 0; i < 9999; ++i) random.below(INT64_MAX);
  CHECK(random.below(INT64_MAX) == static_cast<int64_t>(9981545732273789042ull % INT64_MAX));
  BoundedRandom dice(1);
  std::vector<int> counts(6, 0);
  for (int i = 0; i < 6000; ++i) ++counts[static_cast<size_t>(dice.below(6))];
  // 1000 each, standard deviation 29: five of them.
  for (const int count : counts) CHECK(std::abs(count - 1000) < 145);
  CHECK(BoundedRandom(3).below(1) == 0);
}

}  // namespace
}  // namespace wkvq
