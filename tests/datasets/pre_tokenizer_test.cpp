#include "datasets/tokenizers/pre_tokenizer.h"

#include "tests/support/catch.h"

using namespace wkvq;
using Json = nlohmann::json;

namespace {

using Texts = std::vector<std::string>;

/// Pieces of `text`; the one that begins the whole text has a '^' in front.
Texts pieces(const char* json, const std::string& text, bool at_start = true) {
  const Json parsed = Json::parse(json);
  const PreTokenizer pre_tokenizer(JsonNode(parsed, "f.json: pre_tokenizer"));
  Texts found;
  pre_tokenizer.split(text, at_start, [&](std::string_view piece, bool starts) {
    found.push_back(fmt::format("{}{}", starts ? "^" : "", piece));
  });
  return found;
}

Texts split_by_comma(const std::string& behavior, const std::string& text, bool invert = false) {
  const Json json = {{"type", "Split"},
                     {"pattern", {{"String", ","}}},
                     {"behavior", behavior},
                     {"invert", invert}};
  return pieces(json.dump().c_str(), text);
}

std::string refusal(const char* json) {
  return test::error_of([&] { pieces(json, "a"); });
}

}  // namespace

TEST_CASE("split: the five behaviors on the example of Hugging Face's documentation") {
  const auto dashes = [](const std::string& behavior) {
    const Json json = {{"type", "Split"}, {"pattern", {{"String", "-"}}}, {"behavior", behavior}};
    return pieces(json.dump().c_str(), "the-final--countdown");
  };
  CHECK(dashes("Removed") == Texts{"^the", "final", "countdown"});
  CHECK(dashes("Isolated") == Texts{"^the", "-", "final", "-", "-", "countdown"});
  CHECK(dashes("MergedWithPrevious") == Texts{"^the-", "final-", "-", "countdown"});
  CHECK(dashes("MergedWithNext") == Texts{"^the", "-final", "-", "-countdown"});
  CHECK(dashes("Contiguous") == Texts{"^the", "-", "final", "--", "countdown"});
}

TEST_CASE("split: matches at the ends and nothing but matches") {
  CHECK(split_by_comma("Removed", ",,").empty());
  CHECK(split_by_comma("Removed", ",a,") == Texts{"a"});
  CHECK(split_by_comma("Isolated", ",a,") == Texts{"^,", "a", ","});
  CHECK(split_by_comma("MergedWithPrevious", ",a,") == Texts{"^,", "a,"});
  CHECK(split_by_comma("MergedWithNext", ",a,") == Texts{"^,a", ","});
  CHECK(split_by_comma("Contiguous", ",,a,,") == Texts{"^,,", "a", ",,"});
  CHECK(split_by_comma("Isolated", "abc") == Texts{"^abc"});
  for (const char* behavior :
       {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    CHECK(split_by_comma(behavior, "").empty());
  }
}

TEST_CASE("split: inverted, the text between the matches counts as match") {
  CHECK(split_by_comma("Removed", "a,b,", true) == Texts{",", ","});
  CHECK(split_by_comma("Isolated", "a,b", true) == Texts{"^a", ",", "b"});
  CHECK(split_by_comma("MergedWithPrevious", "a,b", true) == Texts{"^a", ",b"});
  CHECK(split_by_comma("MergedWithNext", "a,b,", true) == Texts{"^a,", "b,"});
}

TEST_CASE("split: but for what is removed the pieces are the text") {
  const std::string text = ",a,,bé,漢,,,c";
  for (const char* behavior : {"Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    for (const bool invert : {false, true}) {
      INFO(behavior << (invert ? ", inverted" : ""));
      std::string joined;
      for (const std::string& piece : split_by_comma(behavior, text, invert)) joined += piece;
      CHECK(joined == fmt::format("^{}", text));
    }
  }
}

TEST_CASE("digits: one by one or in runs, digits of any script") {
  const char* one_by_one = R"({"type": "Digits", "individual_digits": true})";
  const char* runs = R"({"type": "Digits"})";
  CHECK(pieces(one_by_one, "a12é٣") == Texts{"^a", "1", "2", "é", "٣"});
  CHECK(pieces(runs, "a12é٣4") == Texts{"^a", "12", "é", "٣4"});
  CHECK(pieces(runs, "2024") == Texts{"^2024"});
}

TEST_CASE("byte level: GPT-2's words") {
  const char* gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false})";
  CHECK(pieces(gpt2, "Hello, I'll say  it's 42nd!\n\n x") == Texts{"^Hello", ",", " I", "'ll",
                                                                   " say", " ", " it", "'s", " 42",
                                                                   "nd", "!", "\n\n", " x"});
  CHECK(pieces(gpt2, "a   ") == Texts{"^a", "   "});
  CHECK(pieces(gpt2, "I'M DON'T") ==
        Texts{"^I", "'", "M", " DON", "'", "T"});  // small letters only
  const char* whole = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
  CHECK(pieces(whole, "Hello, you") == Texts{"^Hello, you"});
}

TEST_CASE("byte level: a prefix space unless there is one, in front of every stretch") {
  const char* json = R"({"type": "ByteLevel"})";
  CHECK(pieces(json, "a b") == Texts{"^ a", " b"});
  CHECK(pieces(json, " a") == Texts{"^ a"});
  CHECK(pieces(json, "a", false) == Texts{" a"});
  CHECK(pieces(json, "").empty());
}

TEST_CASE("metaspace: marks for spaces, one in front by the scheme") {
  const auto metaspace = [](const char* scheme, const std::string& text, bool at_start = true) {
    const Json json = {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", scheme}};
    return pieces(json.dump().c_str(), text, at_start);
  };
  CHECK(metaspace("always", "a b") == Texts{"^_a", "_b"});
  CHECK(metaspace("always", "a b", false) == Texts{"_a", "_b"});
  CHECK(metaspace("first", "a b") == Texts{"^_a", "_b"});
  CHECK(metaspace("first", "a b", false) == Texts{"a", "_b"});
  CHECK(metaspace("never", "a b") == Texts{"^a", "_b"});
  CHECK(metaspace("always", " a") == Texts{"^_a"});  // one in front is enough
  CHECK(metaspace("always", "a  b") == Texts{"^_a", "_", "_b"});
  CHECK(metaspace("always", "").empty());
}

TEST_CASE("metaspace: older files, and text left in one piece") {
  const auto of = [](const char* rest, const std::string& text) {
    return pieces(fmt::format(R"({{"type": "Metaspace", "replacement": "_"{}}})", rest).c_str(),
                  text);
  };
  CHECK(of("", "a b") == Texts{"^_a", "_b"});
  CHECK(of(R"(, "add_prefix_space": false)", "a b") == Texts{"^a", "_b"});
  CHECK(of(R"(, "add_prefix_space": false, "prepend_scheme": "always")", "a") == Texts{"^a"});
  CHECK(of(R"(, "split": false)", "a b") == Texts{"^_a_b"});
}

TEST_CASE("a sequence hands each piece on, and only the first one begins the text") {
  const char* json = R"({"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Removed"},
    {"type": "Digits", "individual_digits": true},
    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]})";
  CHECK(pieces(json, "a1 2b") == Texts{"^_a", "1", "2", "b"});
  CHECK(pieces(json, "a1 2b", false) == Texts{"a", "1", "2", "b"});
  // A removed match leaves none that begins the text.
  CHECK(pieces(json, " a") == Texts{"a"});
}

TEST_CASE("pre-tokenizers that are not known or contradict themselves are refused by place") {
  const auto contains = [](const std::string& text, const std::string& part) {
    INFO("message: " << text);
    return text.find(part) != std::string::npos;
  };
  CHECK(contains(refusal(R"({"type": "Whitespace"})"),
                 "f.json: pre_tokenizer 'Whitespace' is not supported; known: ByteLevel, Digits"));
  CHECK(
      contains(refusal(R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "isolated"})"),
               "behavior 'isolated' is not supported; known: Isolated, Removed"));
  CHECK(contains(refusal(R"({"type": "Split", "pattern": {}, "behavior": "Isolated"})"),
                 "f.json: pre_tokenizer.pattern: expected a member 'String' or 'Regex'"));
  CHECK(contains(refusal(R"({"type": "Metaspace", "replacement": ""})"), "'replacement' is empty"));
  CHECK(contains(refusal(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})"),
                 "prepend_scheme 'last' is not supported; known: always, first, never"));
  CHECK(contains(refusal(R"({"type": "Digits", "individual_digits": 1})"),
                 "individual_digits: given 1, expected true or false"));
  CHECK(contains(refusal(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {}]})"),
                 "pretokenizers[1]: 'type' is missing"));
  CHECK(contains(refusal(R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"},
                             {"type": "ByteLevel"}]})"),
                 "'ByteLevel' after ByteLevel"));
}
