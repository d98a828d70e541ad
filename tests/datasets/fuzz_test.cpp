#include <functional>
#include <random>

#include "core/base/yaml/yaml_node.h"
#include "datasets/readers/json_lines.h"
#include "datasets/readers/token_array.h"
#include "datasets/tasks/choice/declaration.h"
#include "datasets/tokenizers/tokenizer.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

// What is damaged must be refused by a ConfigError or work; nothing else, no crash, no long wait.

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Bytes changed, cut out, doubled and put in, up to four times.
std::string damaged(std::string text, std::mt19937& random,
                    const std::vector<std::string>& pieces) {
  const auto below = [&](size_t bound) { return random() % bound; };
  for (size_t edits = 1 + below(4); edits > 0 && !text.empty(); --edits) {
    const size_t at = below(text.size());
    const size_t length = std::min(below(16), text.size() - at);
    switch (below(4)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      default:
        text.insert(at, pieces[below(pieces.size())]);
    }
  }
  return text;
}

/// Counts the rounds whose damage `use` bears; it must hold for some and not for all.
void fuzz(const std::string& sound, int rounds, const std::vector<std::string>& pieces,
          const std::function<void(const std::string&)>& use) {
  std::mt19937 random(20260215);  // its numbers are fixed by the standard
  use(sound);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = damaged(sound, random, pieces);
    INFO("round " << round);
    try {
      use(text);
      ++accepted;
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      INFO(message.substr(0, 1000));
      REQUIRE(message.size() < 1500);
    }
  }
  CHECK(accepted > 0);
  CHECK(accepted < rounds);
}

const std::vector<std::string> kJsonPieces = {
    "null", "{}", "[]",   "-1",  "1e999", "4194303", "9223372036854775808",   "\"\"", "\\u0000",
    "[[[[", "}",  "true", "0.5", ",",     "\"a\":",  "\"type\":\"Sequence\"", ".*",   "(?:a+)+"};

/// Loads a folder with `name` as given, and lets it encode and decode a little.
void use_tokenizer(const test::TemporaryFolder& folder, const std::string& name,
                   const std::string& text) {
  test::write_file(folder / name, text);
  const auto tokenizer = load_tokenizer(folder.path());
  const auto ids = tokenizer->encode("a b\xc3\xa9 12  <s>\n\xff", true);
  for (const int32_t id : ids) REQUIRE((id >= 0 && id < tokenizer->vocab_size()));
  tokenizer->decode(ids);
  tokenizer->decode({-1, 0, 1 << 30});
}

TEST_CASE("fuzz: tokenizer.json of every kind") {
  for (const char* kind : {"metaspace", "splits", "fused_unknown", "ignore_merges"}) {
    const test::TemporaryFolder folder;
    const auto sound =
        content_of(test::source("tests/golden/tokenizers") / kind / "tokenizer.json");
    INFO(kind);
    fuzz(sound, 150, kJsonPieces,
         [&](const std::string& text) { use_tokenizer(folder, "tokenizer.json", text); });
  }
}

TEST_CASE("fuzz: tokenizer.model") {
  for (const char* kind : {"sentencepiece_bpe", "sentencepiece_unigram"}) {
    const test::TemporaryFolder folder;
    INFO(kind);
    fuzz(content_of(test::source("tests/golden/tokenizers") / kind / "tokenizer.model"), 150,
         {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", std::string("\x0a\x00", 2), "\x12\xff",
          "\x1a\x02\x18"},
         [&](const std::string& text) { use_tokenizer(folder, "tokenizer.model", text); });
  }
}

TEST_CASE("fuzz: npy") {
  const test::TemporaryFolder folder;
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(118, ' ');
  std::string sound = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header;
  sound += std::string("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0", 24);
  fuzz(sound, 1500,
       {"(", ")", ",", "'", "9223372036854775807", "4294967296,4294967296", "True", "'<u1'", "-1",
        "{", "}", ":", "0"},
       [&](const std::string& text) {
         test::write_file(folder / "a.npy", text);
         const TokenArray array = read_npy(folder / "a.npy");
         size_t count = 1;
         for (const int64_t extent : array.shape) count *= static_cast<size_t>(extent);
         REQUIRE(count == array.values.size());
       });
}

TEST_CASE("fuzz: JSON lines") {
  const test::TemporaryFolder folder;
  std::string sound;
  for (int i = 0; i < 5; ++i)
    sound +=
        fmt::format("{{\"text\": \"line {} \xc3\xa9\", \"n\": [{}, {{\"a\": null}}]}}\n", i, i);
  fuzz(sound, 1000, kJsonPieces, [&](const std::string& text) {
    test::write_file(folder / "a.jsonl", text);
    const JsonLines lines = read_json_lines(folder / "a.jsonl", 0);
    REQUIRE(lines.records.size() == lines.places.size());
  });
}

TEST_CASE("fuzz: YAML, and a declaration of a task in it") {
  const std::string sound =
      "name: capitals\n"
      "version: \"1.0\"\n"
      "file: data/capitals\n"
      "context: \"The capital of {country|strip} is\"\n"
      "choices: [\"{a}\", \"{b|before:x}\"]\n"
      "label: \"{right|map:a=0,b=1}\"\n"
      "clean: hellaswag_clean\n"
      "fewshot: {split: dev, order: first}\n"
      "parts: {one: [x, y], two: [z]}\n"
      "metrics: [acc, acc_norm]\n";
  fuzz(sound, 1500, {"&a ",   "*a",          "!!int ", "<<: ", "- ",   ": ",  "{",  "}",  "[",
                     "]",     "\"",          "'",      "|\n",  ">\n",  "# ",  "\t", "? ", "---\n",
                     "...\n", "%YAML 1.2\n", "@",      "~",    ".nan", "{a|", "..", "/"},
       [&](const std::string& text) { read_declaration(parse_yaml(text, "t.yaml")); });
}

}  // namespace
}  // namespace wkvq
