#include "datasets/corpora/wikitext2.h"

#include "datasets/readers/text_file.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using test::ByteTokenizer;

std::string load_text(const std::filesystem::path& path, test::Options options) {
  const ByteTokenizer tokenizer(true);
  options["path"] = path.string();
  const Corpus corpus = test::dataset("wikitext2", options)->load(test::context_of(&tokenizer));
  return tokenizer.decode(corpus.stream);
}

TEST_CASE("WikiText-2: a row is a line with its line feed, a blank line an empty row") {
  // Rows "", " = A = \n", "", " text \n", "" joined by two line feeds.
  CHECK(join_wikitext_rows(" \n = A = \n \n text \n \n") == "\n\n = A = \n\n\n\n\n text \n\n\n");
  CHECK(join_wikitext_rows("a\nb\n") == "a\n\n\nb\n");
  CHECK(join_wikitext_rows("a\nb") == "a\n\n\nb");
  CHECK(join_wikitext_rows("\n") == "");
  CHECK(join_wikitext_rows("") == "");
}

TEST_CASE("WikiText-2: published file, its rows as JSON lines and their folder agree") {
  const test::TemporaryFolder folder;
  const std::string joined = "<s>\n\n = A = \n\n\n\n\n text \n";
  test::write_file(folder / "wiki.test.raw", " \n = A = \n \n text \n");
  test::write_file(folder / "validation.jsonl",
                   "{\"text\": \"\"}\n{\"text\": \" = A = \\n\"}\n{\"text\": \"\"}\n"
                   "{\"text\": \" text \\n\"}\n");
  CHECK(load_text(folder / "wiki.test.raw", {}) == joined);
  CHECK(load_text(folder.path(), {}) == joined);
  CHECK(load_text(folder.path(), {{"split", "validation"}}) == joined);
  CHECK(load_text(folder.path(), {{"bos", "none"}}) == joined.substr(3));
  REQUIRE_CONFIG_ERROR(load_text(folder.path(), {{"split", "train"}}),
                       "none of wiki.train.raw, wikitext2.train.raw.txt, train.jsonl");
  REQUIRE_CONFIG_ERROR(load_text(folder / "wiki.test.raw", {{"split", "train"}}),
                       "looks like split test, but the split asked for is train");
  REQUIRE_CONFIG_ERROR(load_text(folder / "none.raw", {}), "no such file");
  REQUIRE_CONFIG_ERROR(load_text(std::string(100000, 'x'), {}), "no such file");
}

TEST_CASE("WikiText-2: line ends CR LF are read as Python reads them, and counted") {
  const test::TemporaryFolder folder;
  const ByteTokenizer tokenizer(true);
  const auto load = [&](const std::string& bytes) {
    test::write_file(folder / "wiki.test.raw", bytes);
    return test::dataset("wikitext2", {{"path", folder.path().string()}})
        ->load(test::context_of(&tokenizer));
  };
  const Corpus plain = load(" \n = A = \n \n text \n");
  const Corpus windows = load(" \r\n = A = \r\n \r\n text \r\n");
  CHECK(windows.fingerprint == plain.fingerprint);
  CHECK(windows.convention.find("joined by \"\\n\\n\", 4 line ends CR LF read as LF, tokenized") !=
        std::string::npos);
  // The documents are read when a task asks for them.
  CHECK(windows.documents().items[0].text == plain.documents().items[0].text);
  CHECK(windows.documents().items[0].bytes == plain.documents().items[0].bytes);
  CHECK(windows.documents().convention.ends_with("4 line ends CR LF read as LF"));
}

TEST_CASE("WikiText-2: label and convention name split, joining and BOS") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "wiki.test.raw", "a\n");
  const ByteTokenizer tokenizer(true);
  const auto data = test::dataset("wikitext2", {{"path", folder.path().string()}});
  CHECK(data->label() == "wikitext2");
  CHECK(data->load(test::context_of(&tokenizer)).convention ==
        "WikiText-2 raw test: rows (lines with their line feed, blank ones empty) joined by "
        "\"\\n\\n\", tokenized once, one BOS at the start (tokenizer default)");
  CHECK(test::dataset("wikitext2", {{"path", "x"}, {"split", "train"}})->label() ==
        "wikitext2-train");
}

// 4,358 rows; with the LLaMA tokenizer this text gives the 341,469 tokens (166 windows of 2048)
// that the published tables stand on, with the lines joined otherwise it does not.
TEST_CASE("WikiText-2: the published test split") {
  const auto path = test::shared("data/text/wikitext2.test.raw.txt");
  if (path.empty()) return;
  const std::string text = join_wikitext_rows(read_utf8_file(path));
  CHECK(text.size() == 1296370);
  CHECK(text.substr(0, 25) == "\n\n = Robert Boulter = \n\n\n");
  const auto tokenizer = load_tokenizer(test::shared("data/tokenizers/llama2"));
  const Corpus corpus = test::dataset("wikitext2", {{"path", path.string()}})
                            ->load(test::context_of(tokenizer.get(), 32000));
  CHECK(corpus.stream.size() == 341469);
  CHECK(corpus.stream[0] == 1);  // BOS, once
  CHECK(std::count(corpus.stream.begin(), corpus.stream.end(), 1) == 1);
  CHECK(cut_windows(corpus, 2048, 0).size() == 166);
}

}  // namespace
}  // namespace wkvq
