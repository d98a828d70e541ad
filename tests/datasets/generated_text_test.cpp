#include "datasets/tokenizers/generated_text.h"

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

const test::ByteTokenizer kBytes(true);

std::vector<int32_t> bytes(const std::string& text) {
  return kBytes.encode(text, false);
}

/// What take() gives after each token, and at the end.
std::vector<std::string> taken(const std::string& text, std::vector<std::string> stop) {
  GeneratedText generated(kBytes, std::move(stop));
  std::vector<std::string> pieces;
  for (const int32_t token : bytes(text)) {
    const bool more = generated.push(token);
    pieces.push_back(generated.take());
    if (!more) return pieces;
  }
  generated.finish();
  pieces.push_back(generated.take());
  return pieces;
}

using Pieces = std::vector<std::string>;

TEST_CASE("generated text: stop strings across tokens, the first one wins, itself left out") {
  CHECK(generated_text(kBytes, bytes("one. two. three"), {"tw", ". t"}) == "one");
  CHECK(generated_text(kBytes, bytes("one"), {""}) == "one");
  CHECK(generated_text(kBytes, bytes("aab"), {"ab"}) == "a");
  CHECK(generated_text(kBytes, bytes("\nrest"), {"\n"}).empty());
  GeneratedText generated(kBytes, {"\n\n"});
  for (const int32_t token : bytes("a\nb\n")) CHECK(generated.push(token));
  CHECK_FALSE(generated.push(bytes("\n")[0]));
  CHECK(generated.text() == "a\nb");
  // What follows changes nothing.
  CHECK_FALSE(generated.push(bytes("c")[0]));
  CHECK(generated.text() == "a\nb");
}

TEST_CASE("generated text: an end that may become a stop string is told when it did not") {
  CHECK(taken("ab", {}) == Pieces{"a", "b", ""});
  CHECK(taken("a--b", {"--!"}) == Pieces{"a", "", "", "--b", ""});
  CHECK(taken("a--", {"--!"}) == Pieces{"a", "", "", "--"});
  CHECK(taken("a--!b", {"--!"}) == Pieces{"a", "", "", ""});
  CHECK(taken("xyxyz", {"xyz"}) == Pieces{"", "", "xy", "", ""});
}

TEST_CASE("generated text: characters are told whole") {
  // e acute has two bytes, the bread emoji four.
  CHECK(taken("é🍞", {}) == Pieces{"", "é", "", "", "", "🍞", ""});
  CHECK(taken("a\xC3", {}) == Pieces{"a", "", "\uFFFD"});
  CHECK(taken("\xC3"
              "b",
              {}) == Pieces{"",
                            "\uFFFD"
                            "b",
                            ""});
}

TEST_CASE("generated text: BOS and EOS are no text, long texts equal the tokenizer's decoding") {
  std::vector<int32_t> tokens = bytes("ab");
  tokens.insert(tokens.begin() + 1, {1, 2});
  CHECK(generated_text(kBytes, tokens, {}) == "ab");
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("wörd {}", i);
  CHECK(generated_text(kBytes, bytes(text), {}) == text);
  const auto mini = load_tokenizer(test::source("datasets/mini"));
  const auto ids = mini->encode(text, false);
  CHECK(generated_text(*mini, ids, {}) == mini->decode(ids));
}

TEST_CASE("generated text: a leading space shows behind other tokens only") {
  const auto llama = load_tokenizer(test::source("tests/golden/tokenizers/llama2"));
  const auto ids = llama->encode("Hello world again", false);
  REQUIRE(ids.size() >= 2);
  const std::vector<int32_t> before(ids.begin(), ids.end() - 1), last{ids.back()};
  GeneratedText follows(*llama, {}, before);
  follows.push(ids.back());
  follows.finish();
  CHECK(llama->decode(before) + follows.text() == llama->decode(ids));
}

}  // namespace
}  // namespace wkvq
