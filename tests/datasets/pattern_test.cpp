#include "datasets/tokenizers/pattern.h"

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Texts = std::vector<std::string>;

Texts matches(const Pattern& pattern, const std::string& text) {
  Texts found;
  pattern.each_match(
      text, [&](size_t begin, size_t end) { found.push_back(text.substr(begin, end - begin)); });
  return found;
}

Texts regex(const std::string& expression, const std::string& text) {
  return matches(Pattern::regex(expression, "f.json: pattern"), text);
}

std::string refusal(const std::string& expression) {
  return test::error_of([&] { Pattern::regex(expression, "f.json: pattern"); });
}

}  // namespace

TEST_CASE("pattern: a literal is taken letter by letter") {
  const auto literal = [](const std::string& what, const std::string& text) {
    return matches(Pattern::literal(what, "w"), text);
  };
  CHECK(literal("a.c", "abc a.c") == Texts{"a.c"});
  CHECK(literal("\\s+(", "x \\s+( y") == Texts{"\\s+("});
  CHECK(literal("aa", "aaaaa") == Texts{"aa", "aa"});  // none overlapping, from the left
  CHECK(literal("\xe2\x96\x81", "\xe2\x96\x81x\xe2\x96\x82") == Texts{"\xe2\x96\x81"});
  CHECK(literal("A", "a").empty());
  CHECK(literal("a", "").empty());
  REQUIRE_CONFIG_ERROR(Pattern::literal("", "f.json: x"), "f.json: x: '' can match the empty text");
}

TEST_CASE("pattern: classes are those of Unicode, not of ASCII") {
  CHECK(regex("\\p{L}+", "aé漢ß1_") == Texts{"aé漢ß"});
  CHECK(regex("\\p{Lu}", "aÉbΩ") == Texts{"É", "Ω"});
  CHECK(regex("\\p{N}", "1²٣Ⅷ") == Texts{"1", "²", "٣", "Ⅷ"});
  CHECK(regex("\\d", "1²٣") == Texts{"1", "٣"});  // decimal digits only
  CHECK(regex("\\D+", "1a²2") == Texts{"a²"});
  CHECK(regex("[^\\s\\p{L}\\p{N}]+", "a!? \u2014b") == Texts{"!?", "\u2014"});
  CHECK(regex("(?i:'S|'ſ)", "'s 'S") == Texts{"'s", "'S"});
}

TEST_CASE("pattern: white space is Unicode's White_Space") {
  // NEL, no-break, ogham, line separator, ideographic; not: U+180E, zero width space, BOM.
  for (const char* space : {" ", "\t", "\v", "\f", "\r", "\n", "\u0085", "\u00a0", "\u1680",
                            "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    INFO("bytes: " << std::string(space).size());
    CHECK(regex("\\s", space) == Texts{space});
    CHECK(regex("\\S", space).empty());
    CHECK(regex("[\\s]", space) == Texts{space});
  }
  for (const char* other : {"\u180e", "\u200b", "\ufeff", "\u2060", "a"}) {
    CHECK(regex("\\s", other).empty());
    CHECK(regex("\\S", other) == Texts{other});
  }
}

TEST_CASE("pattern: groups, look-around and quantifiers that mean the same in both engines") {
  CHECK(regex("\\s+(?!\\S)|\\s+", "a   b ") == Texts{"  ", " ", " "});
  CHECK(regex("(?<=a)b", "ab bb") == Texts{"b"});
  CHECK(regex("(?<!a)b", "ab bb") == Texts{"b", "b"});
  CHECK(regex("a(?=b)", "ab ac") == Texts{"a"});
  CHECK(regex("(?>a+)b", "aab") == Texts{"aab"});
  CHECK(regex("a{2}", "aaaaa") == Texts{"aa", "aa"});
  CHECK(regex("a{2,3}", "aaaaa") == Texts{"aaa", "aa"});
  CHECK(regex("a{2,}", "a aaaaa") == Texts{"aaaaa"});
  CHECK(regex("a+?", "aa") == Texts{"a", "a"});
  CHECK(regex("(a|b)c", "acbc") == Texts{"ac", "bc"});
  CHECK(regex("[a\\]\\-]+", "x]-a") == Texts{"]-a"});
  CHECK(regex(".", "a\né") == Texts{"a", "é"});  // not a line feed, but a whole character
}

TEST_CASE("pattern: what Oniguruma would read otherwise is refused with its offset") {
  for (const char* expression :
       {"^a",      "a$",       "\\w+",        "\\W",    "\\b",      "\\B",        "\\A",
        "\\z",     "\\h",      "\\R",         "\\X",    "\\K",      "\\1",        "\\x41",
        "\\u0041", "\\p{Han}", "\\p{Greek}",  "\\pL",   "\\p{^L}",  "\\P{Alpha}", "\\p{L",
        "\\p",     "(?i)a",    "(?m:a)",      "(?#x)a", "(?P<n>a)", "(?<n>a)",    "(?'n'a)",
        "(?R)",    "(*FAIL)",  "[[:alpha:]]", "[a[b]]", "[a&&b]",   "[]a]",       "[^]a]",
        "a{,2}",   "a{",       "a{x}",        "a{1",    "a{2}+",    "a{1,2}+",    "a\\"}) {
    INFO(expression);
    const std::string message = refusal(expression);
    CHECK(message.find("f.json: pattern: '") == 0);
    CHECK(message.find("is not supported") != std::string::npos);
  }
  CHECK(refusal("ab\\w") ==
        "f.json: pattern: '\\w' at offset 2 of the regex 'ab\\w' is not supported");
}

TEST_CASE("pattern: malformed, endless and empty expressions are refused") {
  for (const char* expression : {"(a", "a)", "[a", "*a", "a**b(", "(?=", "a{3,2}"}) {
    INFO(expression);
    CHECK(refusal(expression).find("f.json: pattern: '") == 0);
  }
  for (const char* expression : {"", "a*", "a?", "a|", "(?=a)", "\\s*", "(a*)*", "a{0,2}"}) {
    INFO(expression);
    CHECK(refusal(expression).find("can match the empty text") != std::string::npos);
  }
}

TEST_CASE("pattern: backtracking without end is an error, deep recursion is not") {
  const Pattern slow = Pattern::regex("(?:a+)+(?:b|c)", "f.json: pattern");
  CHECK(matches(slow, "aaab") == Texts{"aaab"});
  REQUIRE_CONFIG_ERROR(matches(slow, std::string(300, 'a')), "f.json: pattern: ");
  // More backtracking points than the JIT's stack holds, each needed once.
  const std::string text(5'000, 'a');
  CHECK(regex("(?:a|b)+c|a", text).size() == text.size());
}
