#include "datasets/text.h"

#include "datasets/text_file.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;

TEST_CASE("text: the whole file, byte for byte") {
  const test::TemporaryFolder folder;
  const auto path = folder / "story.txt";
  test::write_file(path, "a\n\n b\r\n");
  const ByteTokenizer tokenizer(true);
  const auto text = test::dataset("text", {{"path", path.string()}});
  const Corpus corpus = text->load(test::context_of(&tokenizer));
  CHECK(tokenizer.decode(corpus.stream) == "<s>a\n\n b\r\n");
  CHECK(corpus.windows.empty());
  CHECK(corpus.convention ==
        "text story: whole file, tokenized once, one BOS at the start (tokenizer default)");
  CHECK(corpus.fingerprint.size() == 32);
  CHECK(text->label() == "story");
  const auto none = test::dataset("text", {{"path", path.string()}, {"bos", "none"}});
  CHECK(none->load(test::context_of(&tokenizer)).stream.size() == 7);
}

TEST_CASE("text: files that cannot be used") {
  const test::TemporaryFolder folder;
  const ByteTokenizer tokenizer(false);
  const auto load = [&](const std::string& path) {
    return test::dataset("text", {{"path", path}})->load(test::context_of(&tokenizer));
  };
  REQUIRE_CONFIG_ERROR(test::dataset("text", {}), "path: expected a text file");
  REQUIRE_CONFIG_ERROR(load((folder / "none.txt").string()), "no such file");
  REQUIRE_CONFIG_ERROR(load(folder.path().string()), "a folder, expected a regular file");
  REQUIRE_CONFIG_ERROR(load(std::string(100000, 'x')), "no such file");
  test::write_file(folder / "a.gz", "\x1f\x8b...");
  REQUIRE_CONFIG_ERROR(load((folder / "a.gz").string()), "compressed (gzip)");
  test::write_file(folder / "latin1.txt", "caf\xe9 noir");
  REQUIRE_CONFIG_ERROR(load((folder / "latin1.txt").string()), "not UTF-8 at byte 3");
  test::write_file(folder / "good.txt", "abc");
  const auto good = test::dataset("text", {{"path", (folder / "good.txt").string()}});
  REQUIRE_CONFIG_ERROR(good->load(test::context_of(&tokenizer, 101)),
                       "position 1: token id 101, expected 0..100");
}

TEST_CASE("UTF-8: where it stops being valid") {
  const auto valid = std::string_view::npos;
  CHECK(find_invalid_utf8("") == valid);
  CHECK(find_invalid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z") == valid);
  CHECK(find_invalid_utf8("\xEF\xBF\xBF\xF4\x8F\xBF\xBF") == valid);
  CHECK(find_invalid_utf8("ab\x80") == 2);             // continuation without a lead
  CHECK(find_invalid_utf8("ab\xC3") == 2);             // cut off
  CHECK(find_invalid_utf8("\xE2\x82") == 0);           // cut off
  CHECK(find_invalid_utf8("\xF0\x9F\x98") == 0);       // cut off
  CHECK(find_invalid_utf8("a\xC0\x80") == 1);          // overlong
  CHECK(find_invalid_utf8("\xE0\x80\x80") == 0);       // overlong
  CHECK(find_invalid_utf8("\xED\xA0\x80") == 0);       // surrogate
  CHECK(find_invalid_utf8("\xF4\x90\x80\x80") == 0);   // beyond U+10FFFF
  CHECK(find_invalid_utf8("\xC3\x41") == 0);           // lead, then ASCII
  CHECK(find_invalid_utf8("x\xF0\x9F\x41\x80") == 1);  // third byte is ASCII
}

TEST_CASE("dataset names: every one can be made, others are refused by name") {
  for (const std::string& name : dataset_names()) {
    CHECK(make_dataset(name)->summary().size() > 10);
  }
  REQUIRE_CONFIG_ERROR(make_dataset("wikitext"),
                       "unknown dataset 'wikitext'; did you mean 'wikitext2'?");
  REQUIRE_CONFIG_ERROR(make_dataset(""), "self, text, jsonl, tokens, wikitext2, c4");
}

}  // namespace
}  // namespace wkvq
