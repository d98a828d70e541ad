#include <nlohmann/json.hpp>

#include "core/base/json/json.h"
#include "datasets/tokenizers/tokenizer.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Ids = std::vector<int32_t>;

/// vocab.json and merges.txt over the letters that the tests need.
struct Files {
  test::TemporaryFolder folder;

  Files() {
    // U+00E9 in the byte-level alphabet is 0xC3 0xA9, "Ã©"; a space is "Ġ".
    test::write_file(folder / "vocab.json",
                     R"({"a": 0, "e": 1, "1": 2, "2": 3, "Ã": 4, "©": 5, "Ġ": 6, "12": 7,
                         "Ã©": 8, "Ġa": 9, "<": 10, "|": 11, "Ì": 12, "ģ": 13})");
    test::write_file(folder / "merges.txt", "#version: 0.2\n1 2\nÃ ©\nĠ a\n");
    added("<|endoftext|>");
  }
  void added(const std::string& name) {
    test::write_file(folder / "added_tokens.json", "{\"" + name + "\": 14}");
  }
  void config(const std::string& text) { test::write_file(folder / "tokenizer_config.json", text); }
  std::unique_ptr<Tokenizer> load() const { return load_tokenizer(folder.path()); }
};

}  // namespace

TEST_CASE("vocab.json and merges.txt: the class decides how text is cut") {
  Files files;
  const std::string decomposed = "e\u0301";
  files.config(R"({"tokenizer_class": "GPT2Tokenizer"})");
  CHECK(files.load()->encode("12", false) == Ids{7});
  CHECK(files.load()->encode("\u00e9", false) == Ids{8});
  CHECK(files.load()->encode(decomposed, false).front() == 1);
  for (const char* name : {"Qwen2Tokenizer", "Qwen2TokenizerFast"}) {
    files.config(fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    const auto qwen = files.load();
    CHECK(qwen->encode("12", false) == Ids{2, 3});     // every digit alone
    CHECK(qwen->encode(decomposed, false) == Ids{8});  // NFC
    CHECK(qwen->encode("a a<|endoftext|>", false) == Ids{0, 9, 14});
    CHECK(qwen->bos_token() == -1);
    CHECK(qwen->eos_token() == 14);
  }
  files.config(R"({"tokenizer_class": "RobertaTokenizer"})");
  REQUIRE_CONFIG_ERROR(files.load(), "a 'RobertaTokenizer', which is not supported");
}

TEST_CASE("vocab.json and merges.txt: without a named class the family of config.json decides") {
  Files files;
  CHECK(files.load()->encode("12", false) == Ids{7});
  test::write_file(files.folder / "config.json", R"({"model_type": "qwen2"})");
  CHECK(files.load()->encode("12", false) == Ids{2, 3});
  test::write_file(files.folder / "config.json",
                   R"({"model_type": "qwen2", "tokenizer_class": "GPT2Tokenizer"})");
  CHECK(files.load()->encode("12", false) == Ids{7});
}

TEST_CASE("vocab.json and merges.txt: GPT-2's options in tokenizer_config.json count") {
  Files files;
  files.config(R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})");
  CHECK(files.load()->encode("a", true) == Ids{9});
  files.config(R"({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true})");
  CHECK(files.load()->encode("a", true) == Ids{14, 0});
  CHECK(files.load()->adds_bos());
}

TEST_CASE(
    "added_tokens.json and special_tokens_map.json fill in what tokenizer_config.json lacks") {
  Files files;
  files.added("<|im_end|>");
  test::write_file(files.folder / "special_tokens_map.json",
                   R"({"eos_token": {"content": "<|im_end|>"}, "bos_token": null})");
  files.config(R"({"tokenizer_class": "Qwen2Tokenizer"})");
  const auto tokenizer = files.load();
  CHECK(tokenizer->eos_token() == 14);
  CHECK(tokenizer->encode("a<|im_end|>a", false) == Ids{0, 14, 0});
  CHECK(tokenizer->vocab_size() == 15);
  const std::string before = tokenizer->fingerprint();
  files.added("<|im_stop|>");
  test::write_file(files.folder / "special_tokens_map.json", R"({"eos_token": "<|im_stop|>"})");
  CHECK(files.load()->fingerprint() != before);
  // Where tokenizer_config.json lists them, it alone counts.
  files.config(R"({"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|end|>",
                   "added_tokens_decoder": {"14": {"content": "<|end|>", "special": true}}})");
  CHECK(files.load()->encode("a<|end|>", false) == Ids{0, 14});
  test::write_file(files.folder / "added_tokens.json", R"({"<|x|>": "7"})");
  CHECK_NOTHROW(files.load());
  files.config("{}");
  REQUIRE_CONFIG_ERROR(files.load(), "added_tokens.json['<|x|>']");
}

TEST_CASE("a tokenizer file that is a pointer of git-lfs is named") {
  const test::TemporaryFolder folder;
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\nsize 12\n";
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    test::write_file(folder / name, pointer);
    REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "is a git-lfs pointer");
    std::filesystem::remove(folder / name);
  }
  test::write_file(folder / "tokenizer.json", "<html>" + std::string(2000, ' ') + "</html>");
  REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "is a web page");
}

TEST_CASE("vocab.json and merges.txt of Qwen2: the right ids") {
  const auto folder = test::shared("cases/qwen2_vocab_merges_only");
  if (folder.empty()) return;
  const auto tokenizer = load_tokenizer(folder / "model");
  const nlohmann::json right = read_json_file(folder / "right.json");
  std::ifstream lines(folder / "t.jsonl");
  std::string line;
  for (size_t i = 0; std::getline(lines, line); ++i) {
    INFO(line);
    const std::string text = nlohmann::json::parse(line)["text"];
    CHECK(tokenizer->encode(text, false) == right["ids"][i].get<Ids>());
  }
}
