#include <algorithm>

#include "datasets/tokenizers/tokenizer.h"
#include "tests/datasets/tokenizer_golden.h"

using namespace wkvq;
using namespace wkvq::test;
using Json = nlohmann::json;

namespace {

/// Byte-level BPE over a, b, c, ab, abc and a space; <s> is added.
Json small_tokenizer() {
  return Json::parse(R"({
    "added_tokens": [{"id": 6, "content": "<s>", "special": true, "normalized": false}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [6]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "Ġ": 5},
              "merges": [["a", "b"], ["ab", "c"]]}
  })");
}

struct Folder {
  TemporaryFolder folder;
  explicit Folder(const std::string& json) { write_file(folder / "tokenizer.json", json); }
  explicit Folder(const Json& json) : Folder(json.dump()) {}
  Folder& config(const std::string& json) {
    write_file(folder / "tokenizer_config.json", json);
    return *this;
  }
  std::unique_ptr<Tokenizer> load() const { return load_tokenizer(folder.path()); }
};

using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("a small tokenizer by hand") {
  const auto tokenizer = Folder(small_tokenizer()).load();
  CHECK(tokenizer->encode("abc", false) == Ids{4});
  CHECK(tokenizer->encode("abab cab<s>b", false) == Ids{3, 3, 5, 2, 3, 6, 1});
  CHECK(tokenizer->encode("ab", true) == Ids{6, 3});
  CHECK(tokenizer->decode({6, 4, 5, 3}) == "<s>abc ab");
  CHECK(tokenizer->decode({-1, 99, 0}) == "a");
  CHECK(tokenizer->vocab_size() == 7);
  CHECK(tokenizer->bos_token() == 6);
  CHECK(tokenizer->eos_token() == -1);
  CHECK(tokenizer->adds_bos());
}

TEST_CASE("add_bos_token: false keeps BOS away, whatever the class") {
  const auto config = [](const char* name) {
    return fmt::format(R"({{"tokenizer_class": "{}", "bos_token": "<s>", "eos_token": "abc",
                           "add_bos_token": false}})",
                       name);
  };
  const auto generic = Folder(small_tokenizer()).config(config("PreTrainedTokenizerFast")).load();
  CHECK(!generic->adds_bos());
  CHECK(generic->encode("a", true) == Ids{0});
  CHECK(generic->eos_token() == 4);
  const auto llama = Folder(small_tokenizer()).config(config("LlamaTokenizer")).load();
  CHECK_FALSE(llama->adds_bos());
  CHECK(llama->encode("a", true) == Ids{0});
  CHECK(llama->bos_token() == 6);
}

TEST_CASE("a prefix that is not BOS is not called BOS") {
  const auto tokenizer = Folder(small_tokenizer()).config(R"({"bos_token": "a"})").load();
  CHECK(tokenizer->encode("b", true) == Ids{6, 1});
  CHECK_FALSE(tokenizer->adds_bos());
}

TEST_CASE("the fingerprint follows the files") {
  const auto print = [](Folder&& folder) { return folder.load()->fingerprint(); };
  const std::string base = print(Folder(small_tokenizer()));
  CHECK(base.size() == 16);
  CHECK(print(Folder(small_tokenizer())) == base);
  CHECK(print(std::move(Folder(small_tokenizer()).config("{}"))) != base);
  Json other = small_tokenizer();
  other["model"]["merges"].erase(1);
  CHECK(print(Folder(other)) != base);
}

TEST_CASE("GPT-2's vocab.json and merges.txt") {
  TemporaryFolder folder;
  write_file(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3})");
  write_file(folder / "merges.txt", "#version: 0.2\na b\n");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("ab<|endoftext|>ba", true) == Ids{2, 3, 1, 0});
  CHECK(tokenizer->bos_token() == 3);
  CHECK_FALSE(tokenizer->adds_bos());
  write_file(folder / "merges.txt", "#version: 0.2\na b c\n");
  REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "merges.txt:2");
}

TEST_CASE("components that are not known are refused by name") {
  const auto error = [](const char* component, const char* value) {
    Json json = small_tokenizer();
    json[component] = Json::parse(value);
    return error_of([&] { Folder(json).load(); });
  };
  const auto has = [](const std::string& message, const std::string& part) {
    INFO("message: " << message << "\nexpected: " << part);
    CHECK(message.find(part) != std::string::npos);
  };
  has(error("pre_tokenizer", R"({"type": "Whitespace"})"),
      "tokenizer.json: pre_tokenizer 'Whitespace' is not supported; known: ByteLevel");
  has(error("normalizer", R"({"type": "Lowercase"})"), "normalizer 'Lowercase' is not supported");
  has(error("post_processor", R"({"type": "BertProcessing"})"), "post_processor 'BertProcessing'");
  has(error("decoder", R"({"type": "WordPiece"})"), "decoder 'WordPiece' is not supported");
  has(error("model", R"({"type": "Unigram", "vocab": []})"), "model 'Unigram' is not supported");
  has(error(
          "pre_tokenizer",
          R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})"),
      "'Digits' after ByteLevel");
  for (const char* regex : {"(a", "a*", "\\\\w+", "[a&&b]", "(?R)a", "\\\\p{Han}", "^a", "a{2}+",
                            "a{,2}b", "\\\\p", "[[:alpha:]]", "a\\\\"}) {
    INFO("regex: " << regex);
    has(error("pre_tokenizer", fmt::format(R"({{"type": "Split", "behavior": "Isolated",
                              "pattern": {{"Regex": "{}"}}}})",
                                           regex)
                                   .c_str()),
        "tokenizer.json: pre_tokenizer.pattern");
  }
}

TEST_CASE("damaged tokenizer.json: one clear error") {
  const std::string whole = small_tokenizer().dump();
  for (size_t size = 0; size < whole.size(); ++size) {
    const Folder folder(whole.substr(0, size));
    REQUIRE_CONFIG_ERROR(folder.load(), "tokenizer.json");
  }
  // Every member in turn becomes something else; loading works or complains about the file.
  const Json flat = small_tokenizer().flatten();
  for (const auto& member : flat.items()) {
    for (const char* value : {"null", "-1", "1e300", "18446744073709551615", "\"\"", "[]", "{}",
                              "[[[]]]", "\"\\ud800\""}) {
      INFO(member.key() << " = " << value);
      Json json = small_tokenizer();
      const Json parsed = Json::parse(value, nullptr, false);
      if (parsed.is_discarded()) continue;
      json[Json::json_pointer(member.key())] = parsed;
      const std::string message = error_of([&] {
        const auto tokenizer = Folder(json).load();
        tokenizer->decode(tokenizer->encode("abc <s> \xff", true));
      });
      CHECK((message.empty() || message.find("tokenizer.json") != std::string::npos));
    }
  }
}

TEST_CASE("contradictions in tokenizer.json") {
  const auto refused = [](const char* pointer, const char* value, const char* part) {
    Json json = small_tokenizer();
    json[Json::json_pointer(pointer)] = Json::parse(value);
    REQUIRE_CONFIG_ERROR(Folder(json).load(), part);
  };
  refused("/model/vocab/b", "0", "id 0 is given to");
  refused("/model/vocab/b", "-5", "token 'b' has id -5");
  refused("/model/vocab/b", "4194304", "token 'b' has id 4194304");
  refused("/model/vocab/b", "1.5", "expected an integer");
  refused("/model/merges/0/0", "\"x\"", "merge 0 ('x' 'b')");
  refused("/model/merges/0", "\"a b c\"", "expected two tokens");
  refused("/model/merges/0", "[\"a\"]", "expected 2 tokens");
  refused("/model/merges", "{}", "expected an array");
  refused("/model/dropout", "0.1", "dropout");
  refused("/added_tokens/0/id", "2", "added token '<s>' has id 2");
  refused("/added_tokens/0/content", "\"abc\"", "contradicts the vocabulary");
  refused("/post_processor/special_tokens/<s>/ids/0", "77", "names id 77");
  refused("/post_processor/single/0/SpecialToken/id", "\"[CLS]\"", "'[CLS]' is missing");
}

TEST_CASE("sequences nested beyond reason are refused") {
  const auto nested = [](int depth) {
    std::string inner = R"({"type": "NFC"})";
    for (int i = 0; i < depth; ++i)
      inner = R"({"type": "Sequence", "normalizers": [)" + inner + "]}";
    std::string text = small_tokenizer().dump();
    text.insert(1, R"("normalizer": )" + inner + ",");
    return text;
  };
  REQUIRE_CONFIG_ERROR(Folder(nested(20)).load(), "normalizer");
  REQUIRE_CONFIG_ERROR(Folder(nested(5000)).load(), "JSON nested deeper than 100");
}

TEST_CASE("damaged tokenizer_config.json and missing files") {
  const auto load_with = [](const char* config) {
    Folder(small_tokenizer()).config(config).load();
  };
  REQUIRE_CONFIG_ERROR(load_with("{"), "tokenizer_config.json");
  REQUIRE_CONFIG_ERROR(load_with("[]"), "expected an object");
  REQUIRE_CONFIG_ERROR(load_with(R"({"bos_token": 3})"), "bos_token: given 3, expected a string");
  REQUIRE_CONFIG_ERROR(load_with(R"({"bos_token": "<x>"})"), "bos_token '<x>' is not in");
  REQUIRE_CONFIG_ERROR(load_with(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
                       "expected a token id");
  TemporaryFolder empty;
  REQUIRE_CONFIG_ERROR(load_tokenizer(empty.path()), "no tokenizer");
}

TEST_CASE("damaged tokenizer.model: one clear error") {
  const std::string whole =
      read_text(source("tests/golden/tokenizers/sentencepiece_bpe/tokenizer.model"));
  TemporaryFolder folder;
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{2}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    write_file(folder / "tokenizer.model", whole.substr(0, size));
    INFO("size: " << size);
    REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "tokenizer.model");
  }
  write_file(folder / "tokenizer.model", std::string(300, '\xff'));
  REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "tokenizer.model");
}

TEST_CASE("a very long word, and a hostile regex") {
  // 2 MB in one word: with quadratic merging this would take hours.
  const std::string word(2'000'000, 'a');
  Json json = small_tokenizer();
  json["model"]["vocab"]["aa"] = 7;
  json["model"]["merges"].push_back({"a", "a"});
  CHECK(Folder(json).load()->encode(word, false) == Ids(1'000'000, 7));
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", "(?:a+)+(?:b|c)"}}}};
  const auto slow = Folder(json).load();
  REQUIRE_CONFIG_ERROR(slow->encode(word.substr(0, 200), false), "pre_tokenizer.pattern");
}
