#include "datasets/tokenizers/unicode.h"

#include <random>
#include <set>

#include "datasets/readers/text_file.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const std::string kReplacement = "\xef\xbf\xbd";

std::string replacements(size_t count) {
  std::string text;
  for (; count > 0; --count) text += kReplacement;
  return text;
}

}  // namespace

TEST_CASE("utf-8 repair: one replacement for each maximal subpart, as Python's errors=replace") {
  // Each checked with bytes.decode("utf-8", errors="replace") of CPython 3.11.
  const std::vector<std::pair<std::string, size_t>> broken = {
      {"\x80", 1},         {"\xc3", 1},         {"\xc3\xc3", 2},         {"\xe2\x82", 1},
      {"\xf0\x9f\x98", 1}, {"\xf0\x9f", 1},     {"\xc0\xaf", 2},         {"\xe0\x80\x80", 3},
      {"\xed\xa0\x80", 3}, {"\xf4\x90\x80", 3}, {"\xf0\x80\x80\x80", 4}, {"\xf5\x80\x80\x80", 4},
      {"\xff\xfe", 2},     {"\xe2\x28\xa1", 0}};
  for (const auto& [bytes, count] : broken) {
    INFO("first byte " << static_cast<int>(static_cast<unsigned char>(bytes[0])));
    CHECK_FALSE(is_valid_utf8(bytes));
    if (count > 0) {
      CHECK(repair_utf8(fmt::format("a{}b", bytes)) == fmt::format("a{}b", replacements(count)));
    }
  }
  CHECK(repair_utf8("\xe2\x28\xa1") == fmt::format("{0}({0}", kReplacement));
  CHECK(repair_utf8("\xe2\x82\xac") == "\xe2\x82\xac");
}

TEST_CASE("utf-8 repair: of random bytes valid, idempotent, and nothing valid is touched") {
  std::mt19937 random(5);
  const std::string bytes = "a\x7f\x80\xbf\xc2\xc3\xe0\xa0\xed\x9f\xe2\x82\xac\xf0\x90\xf4\x8f\xff";
  size_t valid = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (size_t i = 1 + random() % 6; i > 0; --i) text += bytes[random() % bytes.size()];
    const std::string repaired = repair_utf8(text);
    REQUIRE(is_valid_utf8(repaired));
    REQUIRE(repair_utf8(repaired) == repaired);
    REQUIRE((repaired == text) == is_valid_utf8(text));
    // The other judge of UTF-8 in this project (find_invalid_utf8) must agree.
    REQUIRE((find_invalid_utf8(text) == std::string_view::npos) == is_valid_utf8(text));
    valid += is_valid_utf8(text) ? 1 : 0;
  }
  CHECK(valid > 100);
  CHECK(valid < 4900);
}

TEST_CASE("byte-level alphabet: 256 different characters, GPT-2's table at known places") {
  const auto& alphabet = byte_level_alphabet();
  CHECK(std::set<std::string>(alphabet.begin(), alphabet.end()).size() == 256);
  CHECK(alphabet[' '] == "\u0120");
  CHECK(alphabet['\n'] == "\u010a");
  CHECK(alphabet['\t'] == "\u0109");
  CHECK(alphabet[0] == "\u0100");
  CHECK(alphabet['!'] == "!");
  CHECK(alphabet['~'] == "~");
  CHECK(alphabet[0x7f] == "\u0121");
  CHECK(alphabet[0xa0] == "\u0142");
  CHECK(alphabet[0xa1] == "\u00a1");
  CHECK(alphabet[0xad] == "\u0143");  // the soft hyphen cannot be seen
  CHECK(alphabet[0xff] == "\u00ff");
}

TEST_CASE("byte-level alphabet: bytes there and back, other characters stand for themselves") {
  std::string written, bytes;
  for (size_t byte = 0; byte < 256; ++byte) {
    written += byte_level_alphabet()[byte];
    bytes += static_cast<char>(byte);
  }
  CHECK(byte_level_bytes(written) == bytes);
  CHECK(byte_level_bytes("<|end|> of") == "<|end|> of");  // a space is not in the alphabet
  CHECK(byte_level_bytes("\u0120漢") == "\u0120漢");
  CHECK(byte_level_bytes("").empty());
}

TEST_CASE("white space and words at the ends of a text") {
  CHECK(leading_space(" \u3000\na ") == 5);
  CHECK(trailing_space(" a\u00a0\t") == 3);
  CHECK(leading_space("a ") == 0);
  CHECK(trailing_space("") == 0);
  CHECK(leading_space(" \n") == 2);
  CHECK(trailing_space(" \n") == 2);
  CHECK(leading_space("\u200ba") == 0);  // zero width space is none
  for (const char* word : {"a", "é", "漢", "٣", "_", "\u203f", "\u0301", "\u200d"}) {
    INFO(word);
    CHECK(starts_with_word(fmt::format("{}-", word)));
    CHECK(ends_with_word(fmt::format("-{}", word)));
  }
  for (const char* other : {"-", " ", "'", "\u2014", "😀", "²"}) {
    INFO(other);
    CHECK_FALSE(starts_with_word(fmt::format("{}a", other)));
    CHECK_FALSE(ends_with_word(fmt::format("a{}", other)));
  }
  CHECK_FALSE(starts_with_word(""));
  CHECK_FALSE(ends_with_word(""));
}
