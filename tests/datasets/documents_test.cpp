#include "datasets/corpora/documents.h"

#include <nlohmann/json.hpp>

#include "datasets/corpora/wikitext_pages.h"
#include "datasets/readers/text_file.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

// Literals are those of CPython's len(re.split(r"\s+", text)).
TEST_CASE("words are counted as Python's split at white space counts them") {
  CHECK(count_words("") == 1);
  CHECK(count_words("one") == 1);
  CHECK(count_words("one two") == 2);
  CHECK(count_words(" one  two\n\tthree ") == 5);
  CHECK(count_words("a\u00a0b\u3000c\u2028d") == 4);
  CHECK(count_words("a\x1c\x1f"
                    "b\x1e") == 3);
  CHECK(count_words("a\u200bb\u00b7c") == 1);
}

TEST_CASE("white space at the ends, Python's kinds of it") {
  CHECK(strip_space(" \x1c\u3000 a b\u00a0\x1d\n") == "a b");
  CHECK(strip_space(" \n").empty());
  CHECK(strip_space("\u00e9") == "\u00e9");
}

// What lm-evaluation-harness 0.4.13's wikitext_detokenizer makes of these.
TEST_CASE("WikiText detokenizer: literals of lm-evaluation-harness") {
  CHECK(detokenize_wikitext("he said ' it 's the dogs ' bone '") == "he said 'it's the dogs'bone'");
  CHECK(detokenize_wikitext("a @-@ b @,@ 000 @.@ 5 , c ; d : e . f ! g ? h") ==
        "a-b,000.5, c; d: e. f! g? h");
  CHECK(detokenize_wikitext("( a ( b ) c ) [  x ] { \n y } \" quoted  text \" 'q '") ==
        "(a ( b) c ) [x] {y} \"quoted  text\" 'q'");
  CHECK(detokenize_wikitext("= = = H = = = \n = T = \n 20 \u00b0 C \n N N \n x") ==
        "=== H ===\n= T =\n20\u00b0C\nN N\nx");
  CHECK(detokenize_wikitext("/' 3/' 4/ /' 5/") == "/'[0-9]/' 4/ /'[0-9]/");
  CHECK(detokenize_wikitext("( open") == "( open");
  CHECK(detokenize_wikitext("\" a \" b \" c") == "\"a\" b \" c");
  CHECK(detokenize_wikitext("(\u00a0\u3000x\u00a0)") == "(x)");
  CHECK(detokenize_wikitext(" = = Life = = \n the players ' own") ==
        " == Life ==\nthe players' own");
}

TEST_CASE("WikiText pages: cut at headings of level one, nothing lost between") {
  using Pages = std::vector<std::string>;
  CHECK(wikitext_pages(" \n = A = \n x\n = = B = = \n y\n = C = \n z\n") ==
        Pages{" = A = \n x\n = = B = = \n y", " = C = \n z\n"});
  CHECK(wikitext_pages("before\n = A = \n") == Pages{"before", " = A = \n"});
  CHECK(wikitext_pages(" = = = A = = = \n") == Pages{" = = = A = = = \n"});
  CHECK(wikitext_pages("") == Pages{""});
}

TEST_CASE("WikiText pages and detokenizer: those of lm-evaluation-harness on a whole file") {
  const auto golden =
      nlohmann::json::parse(std::ifstream(test::source("tests/golden/rolling/lm_eval.json")));
  const auto path = test::source("tests/golden/rolling/wiki.test.raw");
  const test::ByteTokenizer tokenizer(false);
  const Corpus corpus =
      test::dataset("wikitext2", {{"path", path.string()}})->load(test::context_of(&tokenizer));
  const Documents pages = corpus.documents();
  REQUIRE(pages.items.size() == golden["detokenized"].size());
  for (size_t i = 0; i < pages.items.size(); ++i) {
    CHECK(pages.items[i].text == golden["detokenized"][i]);
    CHECK(pages.items[i].words == golden["results"][0]["words"][i]);
    CHECK(pages.items[i].bytes == golden["results"][0]["bytes"][i]);
  }
  CHECK(pages.convention ==
        "WikiText-2 raw test: 3 pages, detokenized as lm-evaluation-harness's task wikitext does, "
        "words and bytes of the original pages");
}

// Counted by Python over the published file: 62 pages, hash and sizes of their detokenized text.
TEST_CASE("WikiText-2 test split: the pages of lm-evaluation-harness") {
  const auto path = test::shared("data/text/wikitext2.test.raw.txt");
  if (path.empty()) return;
  const auto pages = wikitext_pages(read_utf8_file(path));
  REQUIRE(pages.size() == 62);
  int64_t words = 0;
  size_t bytes = 0, scored = 0;
  for (const std::string& page : pages) {
    words += count_words(page);
    bytes += page.size();
    scored += detokenize_wikitext(page).size();
  }
  CHECK(words == 241335);
  CHECK(bytes == 1290527);
  CHECK(scored == 1240466);
}

TEST_CASE("documents of a data set: each line of jsonl, the whole of a text, none of token ids") {
  const test::TemporaryFolder folder;
  const test::ByteTokenizer tokenizer(false);
  test::write_file(folder / "a.jsonl", "{\"t\": \"x y\"}\n{\"t\": \"\u00e9\"}\n{\"t\": \"z\"}\n");
  const auto documents = [&](const std::string& name, test::Options options,
                             const std::string& file) {
    options["path"] = (folder / file).string();
    return test::dataset(name, options)->load(test::context_of(&tokenizer)).documents();
  };
  const Documents lines = documents("jsonl", {{"field", "t"}, {"limit", "2"}}, "a.jsonl");
  REQUIRE(lines.items.size() == 2);
  CHECK(lines.items[0].text == "x y");
  CHECK(lines.items[0].words == 2);
  CHECK(lines.items[1].bytes == 2);
  CHECK(lines.convention == "jsonl a: field 't' of 2 documents, each alone");
  test::write_file(folder / "b.txt", "a b\n\nc");
  const Documents whole = documents("text", {}, "b.txt");
  REQUIRE(whole.items.size() == 1);
  CHECK(whole.items[0].text == "a b\n\nc");
  test::write_file(folder / "c4.jsonl", "{\"text\": \"ab\"}\n{\"text\": \"c d\"}\n");
  CHECK(documents("c4", {}, "c4.jsonl").items.size() == 2);
  CHECK_FALSE(test::counting(3).documents);
}

}  // namespace
}  // namespace wkvq
