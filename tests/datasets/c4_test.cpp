#include "datasets/corpora/c4.h"

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;

const char* const kDocuments =
    "{\"text\": \"abcdefgh\"}\n{\"text\": \"ab\"}\n{\"text\": \"0123456789\"}\n"
    "{\"text\": \"xyz\"}\n";

Corpus load(const std::filesystem::path& path, test::Options options, bool adds_bos) {
  const ByteTokenizer tokenizer(adds_bos);
  options["path"] = path.string();
  return test::dataset("c4", options)->load(test::context_of(&tokenizer));
}

std::string text_of(const std::vector<int32_t>& ids) {
  return ByteTokenizer(false).decode(ids);
}

TEST_CASE("c4 new: documents joined by a space, the first 256 windows' worth of tokens") {
  const test::TemporaryFolder folder;
  const auto path = folder / "c4.jsonl";
  test::write_file(path, kDocuments);
  const Corpus all = load(path, {}, true);
  CHECK(text_of(all.stream) == "<s>abcdefgh ab 0123456789 xyz");
  CHECK(all.convention ==
        "C4 new: first 4 documents (1100 in the published sets) joined by \" \", tokenized once, "
        "first 27 tokens, one BOS at the start (tokenizer default)");
  std::string many;
  for (int i = 0; i < 1200; ++i) many += "{\"text\": \"x\"}\n";
  test::write_file(path, many);
  CHECK(load(path, {{"bos", "none"}}, true).stream.size() == 1100 + 1099);
  const Corpus cut = load(path, {{"context", "8"}}, true);
  CHECK(cut.stream.size() == 256 * 8);
  CHECK(cut.convention.find("first 1100 documents joined") != std::string::npos);
}

// Windows from CPython, with documents and window length of this test.
TEST_CASE("c4 old: CPython's windows") {
  const test::TemporaryFolder folder;
  const auto path = folder / "c4.jsonl";
  test::write_file(path, kDocuments);
  const Corpus corpus = load(path, {{"variant", "old"}, {"context", "4"}}, false);
  REQUIRE(corpus.windows.size() == 256);
  const std::vector<std::string> first = {"cdef", "3456", "4567", "1234", "cdef", "0123"};
  for (size_t i = 0; i < first.size(); ++i) CHECK(text_of(corpus.windows[i]) == first[i]);
  CHECK(text_of(corpus.windows.back()) == "bcde");
  CHECK(corpus.convention ==
        "C4 old: 256 random windows of 4 tokens out of 4 documents, each tokenized alone with no "
        "BOS (tokenizer default); Python random, seed 0");
}

TEST_CASE("c4 old: over a thousand published documents") {
  const auto path = test::shared("data/text/c4_sample.jsonl");
  if (path.empty()) return;
  const Corpus corpus = load(path, {{"variant", "old"}, {"context", "2048"}}, false);
  REQUIRE(corpus.windows.size() == 256);
  CHECK(text_of(corpus.windows[0]).substr(0, 20) == "ial will be run by b");
  CHECK(text_of(corpus.windows[255]).substr(0, 20) == "ed by Fog Creek who ");
  int64_t sum = 0;
  for (const auto& window : corpus.windows) {
    for (const int32_t id : window) sum += id - 3;
  }
  CHECK(sum == 48499652);
}

TEST_CASE("c4: what cannot be drawn is refused") {
  const test::TemporaryFolder folder;
  const auto path = folder / "c4.jsonl";
  test::write_file(path, kDocuments);
  REQUIRE_CONFIG_ERROR(load(path, {{"variant", "old"}, {"context", "10"}}, false),
                       "no document is longer than one window of 10 tokens");
  REQUIRE_CONFIG_ERROR(load(path, {{"context", "0"}}, false), "context: expected");
  REQUIRE_CONFIG_ERROR(load(path, {{"context", "9223372036854775807"}}, false),
                       "context: expected");
  REQUIRE_CONFIG_ERROR(load(folder / "none", {}, false), "no such file");
  CHECK(test::dataset("c4", {{"path", "x"}})->label() == "c4-new");
  CHECK(test::dataset("c4", {{"path", "x"}, {"variant", "old"}})->label() == "c4");
}

}  // namespace
}  // namespace wkvq
