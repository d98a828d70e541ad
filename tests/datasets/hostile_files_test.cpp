#include <sys/stat.h>

#include "datasets/readers/json_lines.h"
#include "datasets/readers/text_file.h"
#include "datasets/readers/token_array.h"
#include "datasets/tasks/choice/text_filters.h"
#include "datasets/tokenizers/added_tokens.h"
#include "datasets/tokenizers/decoder.h"
#include "datasets/tokenizers/normalizer.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/pre_tokenizer.h"
#include "datasets/tokenizers/tokenizer.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

template <class Stage>
std::string refusal(const JsonNode::Json& json) {
  return test::error_of([&] { Stage stage(JsonNode(json, "f.json")); });
}

/// A sequence of `count` copies of `step` under the key that the stage has for it.
JsonNode::Json sequence(const char* key, const JsonNode::Json& step, size_t count) {
  return {{"type", "Sequence"}, {key, std::vector<JsonNode::Json>(count, step)}};
}

JsonNode::Json replace(const std::string& from, const std::string& to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

TEST_CASE("hostile files: no reader of data waits for a pipe or reads a device") {
  const test::TemporaryFolder folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::string& path : {(folder / "pipe").string(), std::string("/dev/zero")}) {
    INFO(path);
    REQUIRE_CONFIG_ERROR(read_utf8_file(path), "expected a regular file");
    REQUIRE_CONFIG_ERROR(read_jsonl(path, "text", 0), "expected a regular file");
    REQUIRE_CONFIG_ERROR(read_json_lines(path, 0), "expected a regular file");
    REQUIRE_CONFIG_ERROR(read_npy(path), "expected a regular file");
    REQUIRE_CONFIG_ERROR(read_safetensors_tokens(path, "a"), "expected a regular file");
    for (const char* name :
         {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json"}) {
      const test::TemporaryFolder model;
      std::filesystem::create_symlink(path, model / name);
      test::write_file(model / "merges.txt", "");
      REQUIRE_CONFIG_ERROR(load_tokenizer(model.path()), "expected a regular file");
    }
  }
}

TEST_CASE("hostile files: sparse ones are refused by their size") {
  const test::TemporaryFolder folder;
  for (const char* name : {"tokenizer.json", "text", "a.npy"}) {
    test::write_file(folder / name, std::string("\x93NUMPY\x01\x00\x46\x00", 10) +
                                        "{'descr': '|u1', 'fortran_order': False, 'shape': "
                                        "(1099511627696,), } ");
    std::filesystem::resize_file(folder / name, uintmax_t{1} << 40);
  }
  REQUIRE_CONFIG_ERROR(load_tokenizer(folder.path()), "1099511627776 bytes, expected at most");
  REQUIRE_CONFIG_ERROR(read_utf8_file(folder / "text"), "1099511627776 bytes, expected at most");
  REQUIRE_CONFIG_ERROR(read_npy(folder / "a.npy"), "1099511627696 token ids, expected at most");
}

TEST_CASE("hostile files: a pattern that is slow everywhere ends with an error") {
  // Each of 20 000 places takes as many steps, too few for the engine's own limit: half a minute
  // here, a day for a text of a megabyte.
  const Pattern slow = Pattern::regex("(?:a|b)+c|(?:a|b)+d|(?:a|b)+e", "f.json: pattern");
  const std::string text(20'000, 'a');
  const std::string message = test::error_of([&] { slow.each_match(text, [](size_t, size_t) {}); });
  INFO(message);
  CHECK(message.find("f.json: pattern: its regex takes too long: ") == 0);
  REQUIRE_CONFIG_ERROR(Pattern::regex(std::string(20'000, 'a'), "f.json"),
                       "a regex of 20000 bytes, expected at most 16384");
  REQUIRE_CONFIG_ERROR(Pattern::literal(std::string(2'000, 'a'), "f.json"),
                       "expected at most 1024");
}

TEST_CASE("pattern: matches do not depend on where the search is cut into pieces") {
  // Matches, gaps and characters of several bytes around every multiple of the window.
  for (size_t shift = 250; shift < 262; ++shift) {
    const std::string text = std::string(shift, '.') + "\xc3\xa9" + "a1" + std::string(600, 'b') +
                             "22 " + std::string(513, '.') + "a";
    std::vector<std::string> found;
    Pattern::regex("\\p{L}+(?=1|2)|\\p{N}{1,2}|(?<=\\.)a", "f")
        .each_match(text, [&](size_t begin, size_t end) {
          found.push_back(text.substr(begin, end - begin));
        });
    CHECK(found == std::vector<std::string>{"\xc3\xa9"
                                            "a",
                                            "1", std::string(600, 'b'), "22", "a"});
  }
}

TEST_CASE("hostile files: a tokenizer cannot make a text grow without end") {
  const JsonNode::Json doubling = sequence("normalizers", replace("a", "aa"), 60);
  const Normalizer normalizer(JsonNode(doubling, "f.json"));
  CHECK(normalizer.apply("b") == "b");
  REQUIRE_CONFIG_ERROR(normalizer.apply("a"), "expected at most 4112");
  const JsonNode::Json long_one = replace("a", std::string(256, 'b'));
  REQUIRE_CONFIG_ERROR(Normalizer(JsonNode(long_one, "f.json")).apply(std::string(1000, 'a')),
                       "bytes of a text of 1000, expected at most 20096");
  CHECK(refusal<Normalizer>(replace("a", std::string(257, 'b'))).find("257 bytes") !=
        std::string::npos);
  CHECK(refusal<Normalizer>({{"type", "Prepend"}, {"prepend", std::string(300, 'b')}})
            .find("'prepend' has 300 bytes, expected at most 256") != std::string::npos);
  const JsonNode::Json steps = sequence("decoders", replace("a", "aa"), 60);
  const Decoder decoder(JsonNode(steps, "f.json"));
  REQUIRE_CONFIG_ERROR(decoder.apply({"a", "b"}), "of a text of 2, expected at most 4128");
}

TEST_CASE("hostile files: stages of many steps are refused before they call each other") {
  CHECK(refusal<Normalizer>(sequence("normalizers", {{"type", "NFC"}}, 65)) ==
        "f.json.normalizers[64]: more than 64 steps");
  const JsonNode::Json digits = {{"type", "Digits"}};
  CHECK(refusal<PreTokenizer>(sequence("pretokenizers", digits, 64)).empty());
  CHECK(refusal<PreTokenizer>(sequence("pretokenizers", digits, 100'000)) ==
        "f.json.pretokenizers[64]: more than 64 steps");
  CHECK(refusal<Decoder>(sequence("decoders", {{"type", "Fuse"}}, 65)) ==
        "f.json.decoders[64]: more than 64 steps");
}

TEST_CASE("hostile files: 100 000 added tokens with one beginning are found in one look a length") {
  std::vector<AddedToken> tokens;
  for (int i = 0; i < 100'000; ++i)
    tokens.push_back({.id = i, .content = fmt::format("e{:06}", i)});
  const AddedTokens finder(tokens);
  const std::string text(1'000'000, 'e');
  std::vector<int32_t> ids;
  std::string rest;
  finder.split(
      text + "000042e", [&](std::string_view piece, size_t) { rest += piece; },
      [&](int32_t id) { ids.push_back(id); });
  CHECK(ids == std::vector<int32_t>{42});
  CHECK(rest == std::string(1'000'000, 'e'));
}

TEST_CASE("hostile files: filters of long texts take time in proportion to them") {
  const TextFilter clean("hellaswag_clean");
  CHECK(clean.apply(std::string(1'000'000, '[')) == std::string(1'000'000, '['));
  std::string brackets;
  for (int i = 0; i < 300'000; ++i) brackets += "[x]";
  CHECK(clean.apply(fmt::format("a{}b", brackets)) == "ab");
  CHECK(clean.apply(fmt::format("a{}b", std::string(1'000'000, ' '))) ==
        fmt::format("a{}b", std::string(500'000, ' ')));
  // As before: the first bracket to the first end, one that no line closes stays.
  CHECK(clean.apply("a [[b] c] [d\n e] [f") == "a c] [d\n e] [f");
  CHECK(clean.apply("[a] b [title] c") == " b. c");
}

}  // namespace
}  // namespace wkvq
