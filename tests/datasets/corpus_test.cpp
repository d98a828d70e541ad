#include "datasets/corpora/corpus.h"

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;
using Ids = std::vector<int32_t>;

TEST_CASE("BOS: exactly one where the rule says so") {
  const ByteTokenizer with(true);
  const ByteTokenizer without(false);
  const auto encode = [](const Tokenizer& tokenizer, const char* text, BosRule rule) {
    return encode_text(test::context_of(&tokenizer), text, rule);
  };
  const Ids plain = {100, 101};
  const Ids opened = {1, 100, 101};
  CHECK(encode(with, "ab", BosRule::kTokenizer) == opened);
  CHECK(encode(without, "ab", BosRule::kTokenizer) == plain);
  CHECK(encode(with, "ab", BosRule::kNone) == plain);
  CHECK(encode(with, "ab", BosRule::kStart) == opened);
  CHECK(encode(without, "ab", BosRule::kStart) == opened);
  SECTION("text that spells BOS out does not double it") {
    CHECK(encode(with, "<s>ab", BosRule::kTokenizer) == opened);
    CHECK(encode(without, "<s>ab", BosRule::kStart) == opened);
    CHECK(encode(with, "<s>ab", BosRule::kNone) == opened);
  }
}

TEST_CASE("BOS: asked for where there is none") {
  const ByteTokenizer tokenizer(false, -1);
  REQUIRE_CONFIG_ERROR(encode_text(test::context_of(&tokenizer), "ab", BosRule::kStart),
                       "no BOS token");
  CHECK(encode_text(test::context_of(&tokenizer), "ab", BosRule::kTokenizer).size() == 2);
  REQUIRE_CONFIG_ERROR(encode_text(test::context_of(nullptr), "ab", BosRule::kNone),
                       "model 'tiny' has no tokenizer");
}

TEST_CASE("the BOS rule in words") {
  const ByteTokenizer with(true);
  const ByteTokenizer without(false);
  CHECK(bos_words(test::context_of(&with), BosRule::kTokenizer) ==
        "one BOS at the start (tokenizer default)");
  CHECK(bos_words(test::context_of(&without), BosRule::kTokenizer) == "no BOS (tokenizer default)");
  CHECK(bos_words(test::context_of(&with), BosRule::kNone) == "no BOS");
  CHECK(bos_words(test::context_of(&without), BosRule::kStart) == "one BOS at the start");
}

TEST_CASE("windows drawn by seed: all different, the same ones again, others for another seed") {
  const Corpus corpus = test::counting(40);
  const auto first = choose_windows(corpus, 4, 3, 0);
  CHECK(first == cut_windows(corpus, 4, 3));
  const auto drawn = choose_windows(corpus, 4, 10, 7);
  CHECK(drawn == choose_windows(corpus, 4, 10, 7));
  CHECK(drawn != choose_windows(corpus, 4, 10, 8));
  CHECK(drawn != cut_windows(corpus, 4, 10));
  auto sorted = drawn;
  std::ranges::sort(sorted);
  CHECK(sorted == cut_windows(corpus, 4, 10));
  // A smaller draw is the beginning of a larger one: more samples add to what was there.
  CHECK(choose_windows(corpus, 4, 2, 7) == std::vector<Ids>{drawn[0], drawn[1]});
  REQUIRE_CONFIG_ERROR(choose_windows(corpus, 4, 11, 7),
                       "samples: 11 windows of 4 tokens asked for, but the data holds 10");
}

TEST_CASE("windows of running text: in order, tail dropped") {
  const Corpus corpus = test::counting(11);
  CHECK(cut_windows(corpus, 4, 0) == std::vector<Ids>{{0, 1, 2, 3}, {4, 5, 6, 7}});
  CHECK(cut_windows(corpus, 4, 1) == std::vector<Ids>{{0, 1, 2, 3}});
  CHECK(cut_windows(corpus, 11, 0).size() == 1);
  CHECK(cut_windows(corpus, 4, 100).size() == 2);
  REQUIRE_CONFIG_ERROR(cut_windows(corpus, 12, 0),
                       "text shorter than one window: 11 tokens given, 12 needed (counting)");
  REQUIRE_CONFIG_ERROR(cut_windows(Corpus{}, 4, 0), "0 tokens given, 4 needed");
  REQUIRE_CONFIG_ERROR(cut_windows(corpus, 0, 0), "positive length");
  REQUIRE_CONFIG_ERROR(cut_windows(corpus, INT64_MAX, 0), "shorter than one window");
}

TEST_CASE("fixed windows: all of them, cut where a length is given") {
  Corpus corpus;
  corpus.windows = {{1, 2, 3}, {4, 5, 6}};
  CHECK(cut_windows(corpus, 0, 0) == corpus.windows);
  CHECK(cut_windows(corpus, 2, 0) == std::vector<Ids>{{1, 2}, {4, 5}});
  CHECK(cut_windows(corpus, 3, 1) == std::vector<Ids>{{1, 2, 3}});
  REQUIRE_CONFIG_ERROR(cut_windows(corpus, 4, 0), "3 tokens given, 4 needed");
}

TEST_CASE("ids outside the vocabulary are refused by place and value") {
  Corpus stream;
  stream.stream = {0, 9, 10};
  REQUIRE_CONFIG_ERROR(finish_corpus(stream, test::context_of(nullptr, 10), "f"),
                       "f, position 2: token id 10, expected 0..9");
  Corpus windows;
  windows.windows = {{0, 1}, {2, -1}};
  REQUIRE_CONFIG_ERROR(finish_corpus(windows, test::context_of(nullptr, 10), "f"),
                       "f, row 1, position 1: token id -1");
}

TEST_CASE("the fingerprint tells ids and cuts apart") {
  Corpus a;
  a.windows = {{1, 2}, {3, 4}};
  Corpus b;
  b.windows = {{1, 2, 3, 4}};
  Corpus c;
  c.stream = {1, 2, 3, 4};
  CHECK(token_fingerprint(a) != token_fingerprint(b));
  CHECK(token_fingerprint(b) != token_fingerprint(c));
  CHECK(token_fingerprint(a) == token_fingerprint(a));
  CHECK(token_fingerprint(a).size() == 32);
  Corpus d = a;
  d.convention = "words are no part of it";
  CHECK(token_fingerprint(a) == token_fingerprint(d));
  d.windows[1][1] = 5;
  CHECK(token_fingerprint(a) != token_fingerprint(d));
}

}  // namespace
}  // namespace wkvq
