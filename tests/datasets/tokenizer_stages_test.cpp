#include "datasets/tokenizers/added_tokens.h"
#include "datasets/tokenizers/decoder.h"
#include "datasets/tokenizers/normalizer.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/post_processor.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Json = nlohmann::json;

namespace {

using Texts = std::vector<std::string>;
using Ids = std::vector<int32_t>;

std::string normalized(const char* json, const std::string& text) {
  const Json parsed = Json::parse(json);
  return Normalizer(JsonNode(parsed, "f.json: normalizer")).apply(text);
}

std::string decoded(const char* json, const Texts& tokens) {
  const Json parsed = Json::parse(json);
  return Decoder(JsonNode(parsed, "f.json: decoder")).apply(tokens);
}

PostProcessor post_processor(const std::string& json) {
  const Json parsed = Json::parse(json);
  return read_post_processor(JsonNode(parsed, "f.json: post_processor"));
}

/// Stretches and tokens in order: "text@offset" and "<id>".
Texts found(const std::vector<AddedToken>& tokens, const std::string& text) {
  Texts out;
  AddedTokens(tokens).split(
      text,
      [&](std::string_view part, size_t offset) {
        out.push_back(fmt::format("{}@{}", part, offset));
      },
      [&](int32_t id) { out.push_back(fmt::format("<{}>", id)); });
  return out;
}

/// <s> with `prefix` and </s> with `suffix` around the text; ids 1 and 2.
std::string template_of(const std::string& single) {
  return R"({"type": "TemplateProcessing", "single": )" + single +
         R"(, "special_tokens": {"<s>": {"ids": [1]}, "</s>": {"ids": [2]},
             "both": {"ids": [1, 2]}}})";
}

const std::string kText = R"({"Sequence": {"id": "A"}})";
const std::string kBos = R"({"SpecialToken": {"id": "<s>"}})";
const std::string kEos = R"({"SpecialToken": {"id": "</s>"}})";

}  // namespace

TEST_CASE("normalizer: steps in their order") {
  CHECK(normalized(R"({"type": "Prepend", "prepend": "_"})", "a") == "_a");
  CHECK(normalized(R"({"type": "Prepend", "prepend": "_"})", "") == "");
  CHECK(normalized(R"({"type": "Replace", "pattern": {"String": " "}, "content": "__"})", " a b") ==
        "__a__b");
  CHECK(normalized(R"({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": ""})",
                   " a \n") == "a");
  // Llama's: the prepended mark is not replaced, a prepended space would be.
  const char* both = R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": " "},
      {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]})";
  CHECK(normalized(both, "a b") == "_a_b");
  CHECK(normalized(R"({"type": "Sequence", "normalizers": []})", "a") == "a");
}

TEST_CASE("normalizer: NFC composes, and only what NFC composes") {
  const char* nfc = R"({"type": "NFC"})";
  CHECK(normalized(nfc, "e\u0301") == "\u00e9");
  CHECK(normalized(nfc, "\u1100\u1161\u11a8") == "\uac01");  // Hangul
  CHECK(normalized(nfc, "\u212b") == "\u00c5");              // the angstrom sign is a letter
  CHECK(normalized(nfc, "\ufb01\u00b2") == "\ufb01\u00b2");  // NFKC would not keep these
  CHECK(normalized(nfc, "a\u0323\u0307") == normalized(nfc, "a\u0307\u0323"));
}

TEST_CASE("replace: everything that matches, from the left, once") {
  const Pattern pattern = Pattern::literal("aa", "w");
  CHECK(replace_all("aaaaa", pattern, "a") == "aaa");
  CHECK(replace_all("b", pattern, "x") == "b");
  CHECK(replace_all("", pattern, "x").empty());
  CHECK(replace_all("aa", pattern, "") == "");
  CHECK(replace_all("aab", pattern, "$1\\0") == "$1\\0b");  // no references
}

TEST_CASE("decoder: bytes of byte-level tokens across token borders") {
  const char* json = R"({"type": "ByteLevel"})";
  CHECK(decoded(json, {"\u0120a", "\u010a"}) == " a\n");
  CHECK(decoded(json, {"\u00c3", "\u00a9"}) == "é");  // C3 A9, one byte a token
  CHECK(decoded(json, {"\u00c3", "x"}) == "\ufffdx");
  CHECK(decoded(json, {"漢", "\u0120"}) == "漢 ");  // outside the alphabet: itself
  CHECK(decoded(json, {}).empty());
}

TEST_CASE("decoder: byte fallback joins bytes, each byte of a broken run is one replacement") {
  const char* json = R"({"type": "ByteFallback"})";
  CHECK(decoded(json, {"<0xC3>", "<0xA9>", "!"}) == "é!");
  CHECK(decoded(json, {"<0xE6>", "<0xBC>", "a"}) == "\ufffd\ufffda");
  CHECK(decoded(json, {"<0xC3>", "a", "<0xA9>"}) == "\ufffda\ufffd");
  CHECK(decoded(json, {"a", "<0x0A>"}) == "a\n");
  // Almost bytes.
  CHECK(decoded(json, {"<0x0>", "<0xGG>", "<0x0A", "0x0A>", "<0x+A>", "<0X0A>"}) ==
        "<0x0><0xGG><0x0A0x0A><0x+A><0X0A>");
  CHECK(decoded(json, {"<0xc3>", "<0xa9>"}) == "é");
}

TEST_CASE("decoder: strip takes up to so many from each end of each token") {
  const char* json = R"({"type": "Strip", "content": "_", "start": 1, "stop": 2})";
  CHECK(decoded(json, {"__a___", "_", "b"}) == "_a_b");
  const char* fused = R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";
  CHECK(decoded(fused, {" a", " b"}) == "a b");  // one token now: only its front
  CHECK(decoded(fused, {}).empty());
}

TEST_CASE("decoder: metaspace gives the first mark back only where none was prepended") {
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "_"})", {"_a", "_b"}) == "a b");
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"})",
                {"_a", "_b"}) == " a b");
  CHECK(decoded(R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})",
                {"_a", "_b"}) == " a b");
}

TEST_CASE("decoder: none at all puts spaces between tokens") {
  CHECK(Decoder().apply({"a", "b"}) == "a b");
  CHECK(Decoder().apply({}).empty());
}

TEST_CASE("decoder: what is malformed is refused by its place") {
  const auto refused = [](const char* json, const std::string& part) {
    REQUIRE_CONFIG_ERROR(decoded(json, {"a"}), part);
  };
  refused(R"({"type": "CTC"})", "f.json: decoder 'CTC' is not supported; known: ByteFallback");
  refused(R"({"type": "Strip", "content": "", "start": 1, "stop": 0})", "'content' is empty");
  refused(R"({"type": "Strip", "content": "a", "start": 1})", "'stop' is missing");
  refused(R"({"type": "Strip", "content": "a", "start": 0.5, "stop": 0})", "expected an integer");
  refused(R"({"type": "Sequence", "decoders": {}})", "decoders: given object, expected an array");
}

TEST_CASE("post-processor: what stands before and behind the text") {
  CHECK(post_processor(template_of("[" + kBos + "," + kText + "]")).prefix == Ids{1});
  CHECK(post_processor(template_of("[" + kText + "," + kEos + "]")).suffix == Ids{2});
  const PostProcessor both =
      post_processor(template_of("[" + kBos + "," + kEos + "," + kText + "," + kEos + "]"));
  CHECK(both.prefix == Ids{1, 2});
  CHECK(both.suffix == Ids{2});
  const std::string pair = R"({"SpecialToken": {"id": "both"}})";
  CHECK(post_processor(template_of("[" + pair + "," + kText + "]")).prefix == Ids{1, 2});
  CHECK(post_processor(R"({"type": "ByteLevel"})").prefix.empty());
}

TEST_CASE("post-processor: a later template goes around an earlier one") {
  const std::string inner = template_of("[" + kBos + "," + kText + "," + kBos + "]");
  const std::string outer = template_of("[" + kEos + "," + kText + "," + kEos + "]");
  const PostProcessor post =
      post_processor(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, )" + inner +
                     "," + outer + "]}");
  CHECK(post.prefix == Ids{2, 1});
  CHECK(post.suffix == Ids{1, 2});
}

TEST_CASE("post-processor: templates that are none are refused") {
  REQUIRE_CONFIG_ERROR(post_processor(template_of("[" + kBos + "]")), "lacks the sequence A");
  REQUIRE_CONFIG_ERROR(post_processor(template_of("[]")), "lacks the sequence A");
  REQUIRE_CONFIG_ERROR(post_processor(template_of("[" + kText + "," + kText + "]")),
                       "single[1]: expected special tokens and the sequence A, once");
  REQUIRE_CONFIG_ERROR(post_processor(template_of(R"([{"Sequence": {"id": "B"}}])")),
                       "single[0]: expected special tokens");
  REQUIRE_CONFIG_ERROR(post_processor(template_of(R"([{"SpecialToken": {"id": "<pad>"}}])")),
                       "special_tokens: '<pad>' is missing");
  REQUIRE_CONFIG_ERROR(post_processor(R"({"type": "RobertaProcessing"})"),
                       "post_processor 'RobertaProcessing' is not supported");
}

TEST_CASE("added tokens: leftmost first, of several the longest, of equal ones the first") {
  const std::vector<AddedToken> tokens = {{.id = 1, .content = "<a"},
                                          {.id = 2, .content = "<a>"},
                                          {.id = 3, .content = "a>b"},
                                          {.id = 4, .content = "<a>"}};
  CHECK(found(tokens, "x<a>b<a") == Texts{"x@0", "<2>", "b@4", "<1>"});
  CHECK(found(tokens, "<a><a>") == Texts{"<2>", "<2>"});
  CHECK(found(tokens, "a>b") == Texts{"<3>"});
  CHECK(found(tokens, "").empty());
  CHECK(found(tokens, "é<") == Texts{"é<@0"});
  CHECK(found({}, "abc") == Texts{"abc@0"});
}

TEST_CASE("added tokens: white space goes along where the token asks for it") {
  const AddedToken both = {.id = 1, .content = "X", .lstrip = true, .rstrip = true};
  CHECK(found({both}, "a \u3000\tX \n b") == Texts{"a@0", "<1>", "b@10"});
  // Between two of them the space is taken once.
  CHECK(found({both}, "X  X") == Texts{"<1>", "<1>"});
  CHECK(found({both}, "  X  ") == Texts{"<1>"});
  const AddedToken left = {.id = 1, .content = "X", .lstrip = true};
  CHECK(found({left}, "a X b") == Texts{"a@0", "<1>", " b@3"});
  const AddedToken right = {.id = 1, .content = "X", .rstrip = true};
  CHECK(found({right}, "a X b") == Texts{"a @0", "<1>", "b@4"});
}

TEST_CASE("added tokens: a single word touches no letter, digit, mark or underscore") {
  const AddedToken word = {.id = 1, .content = "ab", .single_word = true};
  CHECK(found({word}, "ab") == Texts{"<1>"});
  CHECK(found({word}, "-ab!") == Texts{"-@0", "<1>", "!@3"});
  for (const char* text : {"xab", "abx", "ab1", "_ab", "éab", "ab\u0301", "漢ab", "abab"}) {
    INFO(text);
    CHECK(found({word}, text) == Texts{std::string(text) + "@0"});
  }
  // The refused place is passed over, the next one counts.
  CHECK(found({word}, "abx ab") == Texts{"abx @0", "<1>"});
}

TEST_CASE("added tokens: defaults and bounds of their fields") {
  const auto read = [](const char* json, int64_t id) {
    const Json parsed = Json::parse(json);
    return read_added_token(JsonNode(parsed, "f.json: added"), id);
  };
  const AddedToken plain = read(R"({"content": "x"})", 5);
  CHECK((plain.id == 5 && !plain.special && plain.normalized));
  CHECK((!plain.lstrip && !plain.rstrip && !plain.single_word));
  CHECK_FALSE(read(R"({"content": "x", "special": true})", 5).normalized);
  CHECK(read(R"({"content": "x", "special": true, "normalized": true})", 5).normalized);
  REQUIRE_CONFIG_ERROR(read(R"({"content": ""})", 5), "f.json: added: 'content' is empty");
  REQUIRE_CONFIG_ERROR(read(R"({"content": "x"})", -1),
                       "token 'x' has id -1, expected 0 to 4194303");
  REQUIRE_CONFIG_ERROR(read(R"({"content": "x"})", 1 << 22), "has id 4194304");
  REQUIRE_CONFIG_ERROR(read(R"({"content": "x", "lstrip": "yes"})", 5), "expected true or false");
}
