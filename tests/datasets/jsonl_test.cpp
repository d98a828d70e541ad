#include "datasets/corpora/jsonl.h"

#include "datasets/readers/text_file.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;

struct Loaded {
  std::string text;
  std::string convention;
};

Loaded load(const std::filesystem::path& path, test::Options options, bool adds_bos) {
  const ByteTokenizer tokenizer(adds_bos);
  options["path"] = path.string();
  const Corpus corpus = test::dataset("jsonl", options)->load(test::context_of(&tokenizer));
  return {tokenizer.decode(corpus.stream), corpus.convention};
}

TEST_CASE("jsonl: joined by text, or separated by tokens") {
  const test::TemporaryFolder folder;
  const auto path = folder / "docs.jsonl";
  test::write_file(path, "{\"text\": \"ab\", \"n\": 1}\n\n{\"text\": \"c\"}\r\n{\"text\": \"d\"}");
  SECTION("separator text, BOS once") {
    const Loaded loaded = load(path, {}, true);
    CHECK(loaded.text == "<s>ab\n\nc\n\nd");
    CHECK(loaded.convention ==
          "jsonl docs: field 'text' of 3 documents, joined by \"\\n\\n\", tokenized once, one BOS "
          "at the start (tokenizer default)");
    CHECK(load(path, {{"separator", ""}, {"bos", "none"}}, true).text == "abcd");
    CHECK(load(path, {{"separator", " "}, {"bos", "start"}}, false).text == "<s>ab c d");
  }
  SECTION("BOS before every document") {
    const Loaded loaded = load(path, {{"bos", "document"}}, false);
    CHECK(loaded.text == "<s>ab<s>c<s>d");
    CHECK(loaded.convention ==
          "jsonl docs: field 'text' of 3 documents, tokenized one by one, BOS before every "
          "document");
    CHECK(load(path, {{"bos", "document"}}, true).text == "<s>ab<s>c<s>d");
  }
  SECTION("EOS after every document") {
    CHECK(load(path, {{"eos", "true"}}, false).text == "ab</s>c</s>d</s>");
    CHECK(load(path, {{"eos", "true"}}, true).text == "<s>ab</s>c</s>d</s>");
    CHECK(load(path, {{"eos", "true"}, {"bos", "document"}}, true).text ==
          "<s>ab</s><s>c</s><s>d</s>");
    CHECK(load(path, {{"eos", "true"}}, false).convention.find("EOS after every document") !=
          std::string::npos);
  }
  SECTION("limit") {
    CHECK(load(path, {{"limit", "2"}}, false).text == "ab\n\nc");
    CHECK(load(path, {{"limit", "9"}}, false).text == "ab\n\nc\n\nd");
  }
}

TEST_CASE("jsonl: a separator beside separating tokens is refused") {
  REQUIRE_CONFIG_ERROR(
      test::dataset("jsonl", {{"path", "x"}, {"bos", "document"}, {"separator", " "}}),
      "separator: documents are separated by BOS or EOS tokens");
  REQUIRE_CONFIG_ERROR(test::dataset("jsonl", {{"path", "x"}, {"limit", "-1"}}), "limit");
}

TEST_CASE("jsonl: hostile lines are refused with file and line") {
  const test::TemporaryFolder folder;
  const auto path = folder / "bad.jsonl";
  const auto error = [&](const std::string& line) {
    test::write_file(path, "{\"text\": \"fine\"}\n" + line + "\n");
    return test::error_of([&] { load(path, {}, false); });
  };
  const auto names = [](const std::string& message, const std::string& part) {
    INFO(message);
    CHECK(message.find("bad.jsonl:2") != std::string::npos);
    CHECK(message.find(part) != std::string::npos);
  };
  names(error("{\"text\": "), "JSON");
  names(error("[1, 2]"), "expected a JSON object");
  names(error("{\"body\": \"x\"}"), "no field 'text'");
  names(error("{\"text\": 7}"), "field 'text' is a number, expected a string");
  names(error("{\"text\": \"\xff\"}"), "JSON");
  names(error("{\"text\": \"\\ud800\"}"), "JSON");
  names(error(std::string(100000, '[')), "JSON");
  test::write_file(path, "\n\n");
  REQUIRE_CONFIG_ERROR(load(path, {}, false), "no documents");
  REQUIRE_CONFIG_ERROR(load(folder / "absent.jsonl", {}, false), "no such file");
}

}  // namespace
}  // namespace wkvq
