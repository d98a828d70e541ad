#include "datasets/corpora/ptb.h"

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

Corpus load(const std::filesystem::path& path, test::Options options) {
  static const test::ByteTokenizer tokenizer(true);
  options["path"] = path.string();
  return test::dataset("ptb", options)->load(test::context_of(&tokenizer));
}

std::string text_of(const Corpus& corpus) {
  return test::ByteTokenizer(false).decode(corpus.stream);
}

TEST_CASE("ptb: new is the test split joined by spaces, old validation by blank lines") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "ptb.test.txt", " no it was n't black monday \n but <unk> N \n");
  test::write_file(folder / "ptb.valid.txt", " consumers may want \n to move \n");
  const Corpus fresh = load(folder.path(), {});
  CHECK(text_of(fresh) == "<s>no it was n't black monday but <unk> N");
  CHECK(fresh.convention ==
        "PTB new: 2 sentences of the test split joined by \" \", tokenized once, one BOS at the "
        "start (tokenizer default)");
  const Corpus old = load(folder.path(), {{"variant", "old"}, {"bos", "none"}});
  CHECK(text_of(old) == "consumers may want\n\nto move");
  CHECK(old.convention.find("PTB old: 2 sentences of the validation split joined by \"\\n\\n\"") !=
        std::string::npos);
  REQUIRE(old.documents().items.size() == 1);
  CHECK(old.documents().items[0].text == "consumers may want\n\nto move");
  CHECK(test::dataset("ptb", {{"path", "x"}})->label() == "ptb-new");
  CHECK(test::dataset("ptb", {{"path", "x"}, {"variant", "old"}})->label() == "ptb");
}

TEST_CASE("ptb: line ends CR LF are no part of the sentences, and counted") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "ptb.test.txt", " a b \n c \n");
  const Corpus plain = load(folder.path(), {});
  test::write_file(folder / "ptb.test.txt", " a b \r\n c \r\n");
  const Corpus windows = load(folder.path(), {});
  CHECK(text_of(windows) == "<s>a b c");
  CHECK(windows.fingerprint == plain.fingerprint);
  CHECK(windows.convention.find("2 line ends CR LF read as LF") != std::string::npos);
  CHECK(windows.warnings.empty());
  // The published reader keeps a byte order mark: a word of the first sentence, which is warned of.
  test::write_file(folder / "ptb.test.txt", "\xEF\xBB\xBF a b \n c \n");
  CHECK(load(folder.path(), {}).warnings.size() == 1);
}

TEST_CASE("ptb: rows as JSON lines agree with the published text") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "test.jsonl", "{\"sentence\": \"a b\"}\n{\"sentence\": \"c\"}\n");
  CHECK(text_of(load(folder.path(), {})) == "<s>a b c");
  test::write_file(folder / "broken.jsonl", "{\"sentence\": \"a b\"}\n{\"text\": \"c\"}\n");
  REQUIRE_CONFIG_ERROR(load(folder / "broken.jsonl", {}), "broken.jsonl:2: no field 'sentence'");
}

TEST_CASE("ptb: another split, no file, nothing in it") {
  const test::TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(load(folder.path(), {}),
                       "neither ptb.test.txt nor test.jsonl in this folder");
  REQUIRE_CONFIG_ERROR(load(folder / "ptb.valid.txt", {}), "looks like another split");
  REQUIRE_CONFIG_ERROR(load(folder / "ptb.test.txt", {{"variant", "old"}}),
                       "looks like another split; expected validation");
  REQUIRE_CONFIG_ERROR(load(folder / "ptb.test.txt", {}), "no such file");
  test::write_file(folder / "ptb.test.txt", "");
  REQUIRE_CONFIG_ERROR(load(folder / "ptb.test.txt", {}), "no sentences");
}

}  // namespace
}  // namespace wkvq
