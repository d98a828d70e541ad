#include "datasets/corpora/text.h"

#include "datasets/readers/text_file.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;

TEST_CASE("text: the whole file as Python opens it") {
  const test::TemporaryFolder folder;
  const auto path = folder / "story.txt";
  test::write_file(path, "a\n\n b\n");
  const ByteTokenizer tokenizer(true);
  const auto text = test::dataset("text", {{"path", path.string()}});
  const Corpus corpus = text->load(test::context_of(&tokenizer));
  CHECK(tokenizer.decode(corpus.stream) == "<s>a\n\n b\n");
  CHECK(corpus.windows.empty());
  CHECK(corpus.convention ==
        "text story: whole file, tokenized once, one BOS at the start (tokenizer default)");
  CHECK(corpus.fingerprint.size() == 32);
  CHECK(text->label() == "story");
  const auto none = test::dataset("text", {{"path", path.string()}, {"bos", "none"}});
  CHECK(none->load(test::context_of(&tokenizer)).stream.size() == 6);
}

TEST_CASE(
    "text: line ends are line feeds, counted in the convention, and a byte order mark stays") {
  const test::TemporaryFolder folder;
  const ByteTokenizer tokenizer(false);
  const auto load = [&](const std::string& bytes) {
    test::write_file(folder / "story.txt", bytes);
    const auto text = test::dataset("text", {{"path", (folder / "story.txt").string()}});
    return text->load(test::context_of(&tokenizer));
  };
  const Corpus plain = load("a\n\nb\nc");
  const Corpus windows = load("a\r\n\r\nb\rc");
  CHECK(windows.stream == plain.stream);
  CHECK(windows.fingerprint == plain.fingerprint);
  CHECK(windows.convention.starts_with(
      "text story: whole file, 2 line ends CR LF read as LF, 1 lone CR read as LF, tokenized"));
  CHECK(windows.documents().items[0].text == "a\n\nb\nc");
  CHECK(windows.documents().items[0].bytes == 6);
  CHECK(windows.documents().convention.ends_with("1 lone CR read as LF"));
  CHECK(windows.warnings.empty());
  const Corpus marked = load(
      "\xEF\xBB\xBF"
      "a\n");
  CHECK(tokenizer.decode(marked.stream) ==
        "\xEF\xBB\xBF"
        "a\n");
  CHECK(marked.convention.find("a byte order mark in front kept as text") != std::string::npos);
  REQUIRE(marked.warnings.size() == 1);
  CHECK(marked.warnings[0].find("begins with a byte order mark") != std::string::npos);
  CHECK(kept_as_is("p.txt", "a\r\n") == "p.txt: line ends CR LF kept as text");
  CHECK(kept_as_is("p.txt", "\xEF\xBB\xBF\r\n").find("mark and line ends") != std::string::npos);
  CHECK(kept_as_is("p.txt", "a\n").empty());
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
  test::write_file(folder / "wide.txt",
                   "\xff\xfe"
                   "a");
  REQUIRE_CONFIG_ERROR(load((folder / "wide.txt").string()), "is UTF-16 text");
  test::write_file(folder / "lfs.txt", "version https://git-lfs.github.com/spec/v1\nsize 9\n");
  REQUIRE_CONFIG_ERROR(load((folder / "lfs.txt").string()), "a git-lfs pointer");
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
