#include <cmath>
#include <numeric>

#include "datasets/tasks/common/statistics.h"
#include "datasets/tasks/likelihood/context_curve.h"
#include "datasets/tasks/likelihood/llama_cpp.h"
#include "datasets/tasks/likelihood/rolling.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using Ids = std::vector<int32_t>;

Scored answer(std::vector<float> nll) {
  Scored scored;
  scored.nll = std::move(nll);
  return scored;
}

/// A corpus whose documents are `texts`.
Corpus documents_of(std::vector<Document> texts) {
  Corpus corpus;
  corpus.documents = [texts] { return Documents{texts, "by hand"}; };
  return corpus;
}

struct Rolling {
  test::ByteTokenizer tokenizer;
  DatasetContext context = test::context_of(&tokenizer);
  std::unique_ptr<Task> task;
  explicit Rolling(const test::Options& options, bool adds_bos, int64_t bos = 1)
      : tokenizer(adds_bos, bos), task(test::task("rolling_perplexity", options)) {}
  std::vector<Request> prepare(const Corpus& corpus, int64_t most = 512) {
    return task->prepare({.corpus = &corpus, .text = &context, .max_context = most});
  }
};

TEST_CASE("rolling windows: prefix, disjoint, the last one extended to the left") {
  const auto windows = rolling_windows({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, 4);
  REQUIRE(windows.size() == 3);
  CHECK(windows[0].tokens == Ids{0, 1, 2, 3, 4});
  CHECK(windows[0].score_from == 1);
  CHECK(windows[1].tokens == Ids{4, 5, 6, 7, 8});
  CHECK(windows[1].score_from == 1);
  CHECK(windows[2].tokens == Ids{6, 7, 8, 9, 10});
  CHECK(windows[2].score_from == 3);
  const auto one = rolling_windows({1, 2, 3}, 0, 4);
  REQUIRE(one.size() == 1);
  CHECK(one[0].tokens == Ids{0, 1, 2, 3});
  CHECK(rolling_windows({}, 0, 4).empty());
}

TEST_CASE("rolling windows: every token once, in order, windows of equal length but a lone one") {
  for (int64_t total = 1; total < 40; ++total) {
    for (int64_t length = 1; length < 12; ++length) {
      Ids tokens(static_cast<size_t>(total));
      std::iota(tokens.begin(), tokens.end(), 1);
      Ids scored;
      const auto windows = rolling_windows(tokens, 0, length);
      for (const Request& window : windows) {
        CHECK(window.score_from >= 1);
        CHECK(static_cast<int64_t>(window.tokens.size()) == std::min(length, total) + 1);
        scored.insert(scored.end(), window.tokens.begin() + window.score_from, window.tokens.end());
      }
      CHECK(scored == tokens);
    }
  }
}

TEST_CASE("rolling: documents apart, word and byte perplexity by hand") {
  Rolling rolling({{"context", "2"}}, false);
  // Tokens of ByteTokenizer: a is 100. Words and bytes are given, so that they cannot be guessed.
  const auto requests = rolling.prepare(documents_of({{"abc", 2, 10}, {"", 1, 0}, {"d", 3, 4}}));
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].tokens == Ids{1, 100, 101});
  CHECK(requests[1].tokens == Ids{100, 101, 102});
  CHECK(requests[1].score_from == 2);
  CHECK(requests[2].tokens == Ids{1, 103});
  const auto metrics = rolling.task->score({answer({1, 2}), answer({3}), answer({6})});
  REQUIRE(metrics.size() == 4);
  // 12 nats on 6 words: r = 2; deviations by document 6 - 4, 0 - 2, 6 - 6; sqrt(3/2 * 8) / 6.
  CHECK(metrics[0].metric == "word_perplexity");
  CHECK(metrics[0].value == Approx(std::exp(2.0)).epsilon(1e-14));
  CHECK(metrics[0].stderr_ == Approx(std::exp(2.0) * std::sqrt(12.0) / 6).epsilon(1e-14));
  CHECK(metrics[0].n == 4);
  CHECK(test::rows<double>(metrics[0], "nll") == std::vector<double>{6, 0, 6});
  CHECK(test::rows<int64_t>(metrics[0], "words") == std::vector<int64_t>{2, 1, 3});
  CHECK(metrics[1].metric == "byte_perplexity");
  CHECK(metrics[1].value == Approx(std::exp(12.0 / 14)).epsilon(1e-14));
  CHECK(metrics[2].metric == "bits_per_byte");
  CHECK(metrics[2].value == Approx(12 / (14 * std::log(2.0))).epsilon(1e-14));
  CHECK(metrics[2].value == Approx(std::log2(metrics[1].value)).epsilon(1e-14));
  CHECK(metrics[3].metric == "rolling_perplexity");
  CHECK(metrics[3].value == Approx(std::exp(3.0)).epsilon(1e-14));
  CHECK(test::rows<int64_t>(metrics[3], "document") == std::vector<int64_t>{0, 0, 0, 2});
  CHECK(test::rows<int64_t>(metrics[3], "window") == std::vector<int64_t>{0, 0, 1, 2});
  CHECK(test::rows<int64_t>(metrics[3], "position") == std::vector<int64_t>{1, 2, 2, 1});
  CHECK(metrics[0].attributes.at("windows") == AttributeValue(int64_t{3}));
  CHECK(metrics[0].attributes.at("documents") == AttributeValue(int64_t{3}));
  CHECK(metrics[0].convention ==
        "lm-eval rolling, context 2, 3 documents apart in 3 windows, BOS 1 before each document, "
        "one token of context before a window, the last window extended to the left, every token "
        "scored once, no BOS (tokenizer default); by hand");
}

TEST_CASE("rolling: BOS of the tokenizer is scored after the prefix, EOS where there is no BOS") {
  Rolling adds({}, true);
  const Corpus corpus = documents_of({{"a", 1, 1}});
  CHECK(adds.prepare(corpus)[0].tokens == Ids{1, 1, 100});
  Rolling plain({{"bos", "none"}}, true);
  CHECK(plain.prepare(corpus)[0].tokens == Ids{1, 100});
  Rolling without({}, false, -1);
  CHECK(without.prepare(corpus)[0].tokens == Ids{2, 100});
}

TEST_CASE("rolling: the fingerprint tells documents apart that read alike when joined") {
  Rolling rolling({}, false);
  const auto fingerprint = [&](std::vector<Document> documents) {
    rolling.prepare(documents_of(std::move(documents)));
    return rolling.task->data_fingerprint();
  };
  const std::string one = fingerprint({{"ab", 1, 2}});
  CHECK(one == fingerprint({{"ab", 1, 2}}));
  CHECK(one != fingerprint({{"a", 1, 1}, {"b", 1, 1}}));
  CHECK(one != fingerprint({{"ab", 2, 2}}));
}

TEST_CASE("rolling: what cannot be scored") {
  Rolling rolling({{"context", "9"}}, false);
  REQUIRE_CONFIG_ERROR(rolling.prepare(documents_of({{"a", 1, 1}}), 8), "reads at most 8");
  Rolling other({{"documents", "1"}}, false);
  REQUIRE_CONFIG_ERROR(other.prepare(test::counting(9)), "no documents to keep apart");
  REQUIRE_CONFIG_ERROR(other.prepare(documents_of({{"", 1, 0}, {"a", 1, 1}})), "no text");
  CHECK(other.prepare(documents_of({{"b", 1, 1}, {"a", 1, 1}})).size() == 1);
  REQUIRE_CONFIG_ERROR(test::task("rolling_perplexity", {{"context", "-1"}}), "context: expected");
  REQUIRE_CONFIG_ERROR(test::task("rolling_perplexity", {{"documents", "-1"}}),
                       "documents: expected");
}

TEST_CASE("llama.cpp: second half of every chunk, first token BOS where the tokenizer adds one") {
  for (const bool bos : {true, false}) {
    const test::ByteTokenizer tokenizer(bos);
    const DatasetContext context = test::context_of(&tokenizer);
    const auto task = test::task("llama_cpp_perplexity", {{"context", "6"}});
    const Corpus corpus = test::counting(20);
    const auto requests = task->prepare({.corpus = &corpus, .text = &context, .max_context = 512});
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].tokens == Ids{bos ? 1 : 6, 7, 8, 9, 10, 11});
    // Logits at 3 and 4 predict 4 and 5: 6 - 6/2 - 1 tokens.
    CHECK(requests[1].score_from == 4);
    const auto metrics = task->score({answer({1, 2}), answer({3, 4}), answer({5, 6})});
    REQUIRE(metrics.size() == 1);
    CHECK(metrics[0].metric == "llama_cpp_perplexity");
    CHECK(metrics[0].value == Approx(std::exp(3.5)).epsilon(1e-14));
    // Chunk means 1.5, 3.5, 5.5: standard deviation 2.
    CHECK(metrics[0].stderr_ == Approx(std::exp(3.5) * 2 / std::sqrt(3.0)).epsilon(1e-14));
    CHECK(metrics[0].n == 6);
    CHECK(test::rows<int64_t>(metrics[0], "position") == std::vector<int64_t>{4, 5, 4, 5, 4, 5});
    CHECK(metrics[0].convention ==
          fmt::format("llama.cpp chunks, context 6, tail dropped, 3 chunks, {}, tokens 4..5 "
                      "scored; counting",
                      bos ? "first token of each replaced by BOS" : "no BOS added to a chunk"));
  }
}

TEST_CASE("llama.cpp: an odd context, two chunks at least, no fixed windows") {
  const test::ByteTokenizer tokenizer(false);
  const DatasetContext context = test::context_of(&tokenizer);
  const auto prepare = [&](const test::Options& options, const Corpus& corpus) {
    return test::task("llama_cpp_perplexity", options)
        ->prepare({.corpus = &corpus, .text = &context, .max_context = 512});
  };
  // 5/2 = 2: tokens 3 and 4.
  CHECK(prepare({{"context", "5"}}, test::counting(10))[0].score_from == 3);
  CHECK(prepare({{"context", "5"}, {"chunks", "1"}}, test::counting(10)).size() == 1);
  REQUIRE_CONFIG_ERROR(prepare({{"context", "5"}}, test::counting(9)),
                       "9 tokens given, expected two chunks of 5 or more");
  REQUIRE_CONFIG_ERROR(prepare({{"context", "513"}}, test::counting(2000)), "reads at most 512");
  Corpus fixed;
  fixed.windows = {{1, 2, 3, 4, 5, 6}};
  REQUIRE_CONFIG_ERROR(prepare({{"context", "3"}}, fixed), "expected running text");
  REQUIRE_CONFIG_ERROR(test::task("llama_cpp_perplexity", {{"context", "2"}}),
                       "context: expected 3 or more");
}

TEST_CASE("conventions: divergence under names of their own") {
  const test::ByteTokenizer tokenizer(false);
  const DatasetContext context = test::context_of(&tokenizer);
  const auto task = test::task("llama_cpp_perplexity", {{"context", "4"}, {"kl", "true"}});
  CHECK(task->needs_full_precision());
  const Corpus corpus = test::counting(8);
  task->prepare({.corpus = &corpus, .text = &context, .max_context = 512});
  Scored scored = answer({1});
  scored.kl = {0.5F};
  scored.full_nll = {1};
  scored.top1_agree = {1};
  const auto metrics = task->score({scored, scored});
  std::vector<std::string> names;
  for (const Metric& metric : metrics) names.push_back(metric.metric);
  CHECK(names == std::vector<std::string>{"llama_cpp_perplexity", "llama_cpp_kl",
                                          "llama_cpp_kl_median", "llama_cpp_kl_p99",
                                          "llama_cpp_top1_agreement", "llama_cpp_perplexity_ratio",
                                          "llama_cpp_delta_p", "llama_cpp_delta_p_rms"});
  CHECK_THROWS_AS(task->score({scored}), std::logic_error);
}

TEST_CASE("context curve: buckets of equal width, the last takes the rest up") {
  const auto task = test::task("context_curve", {{"context", "8"}, {"buckets", "3"}});
  REQUIRE(task->prepare(test::inputs(test::counting(17), 512)).size() == 2);
  const auto metrics = task->score({answer({1, 2, 3, 4, 5, 6, 7}), answer({3, 4, 5, 6, 7, 8, 9})});
  REQUIRE(metrics.size() == 3);
  CHECK(metrics[0].metric == "nll_1_2");
  CHECK(metrics[1].metric == "nll_3_4");
  CHECK(metrics[2].metric == "nll_5_7");
  // Window means 6 and 8: mean 7, half their distance.
  CHECK(metrics[2].value == Approx(7).epsilon(1e-14));
  CHECK(metrics[2].stderr_ == Approx(1).epsilon(1e-14));
  CHECK(metrics[2].n == 6);
  CHECK(test::rows<int64_t>(metrics[2], "position") == std::vector<int64_t>{5, 6, 7, 5, 6, 7});
  CHECK(test::rows<int64_t>(metrics[2], "window") == std::vector<int64_t>{0, 0, 0, 1, 1, 1});
  CHECK(test::rows<float>(metrics[1], "nll") == std::vector<float>{3, 4, 5, 6});
  CHECK(metrics[2].attributes.at("first_position") == AttributeValue(int64_t{5}));
  CHECK(metrics[2].attributes.at("last_position") == AttributeValue(int64_t{7}));
  REQUIRE_CONFIG_ERROR(test::task("context_curve", {{"context", "8"}, {"buckets", "8"}})
                           ->prepare(test::inputs(test::counting(17), 512)),
                       "8 buckets for 7 scored positions");
  CHECK_THROWS_AS(task->score({answer({1})}), std::logic_error);
}

TEST_CASE("a ratio of sums: its error by hand") {
  // r = 12/6 = 2; deviations 6 - 4 = 2, 6 - 8 = -2; sqrt(2/1 * 8) / 6.
  const Ratio ratio = clustered_ratio({6, 6}, {2, 4});
  CHECK(ratio.value == 2.0);
  CHECK(ratio.standard_error == Approx(4.0 / 6).epsilon(1e-15));
  CHECK(std::isnan(clustered_ratio({6}, {2}).standard_error));
}

}  // namespace
}  // namespace wkvq
