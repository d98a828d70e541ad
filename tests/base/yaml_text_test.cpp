#include "core/base/yaml/yaml_text.h"

#include <limits>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

std::string canonical(const std::string& text) {
  return block_text(parse_yaml(text, "s"));
}

std::string string_text(const std::string& text) {
  return flow_text(YamlNode::scalar(text, true));
}

}  // namespace

TEST_CASE("block_text is canonical") {
  const std::string expected =
      "method:\n"
      "  name: rtn\n"
      "  weight:\n"
      "    bits: 4\n"
      "    empty: {}\n"
      "evaluate:\n"
      "  - task: perplexity\n"
      "    dataset:\n"
      "      name: self\n"
      "  - {}\n"
      "axes: [1, 2]\n"
      "nested:\n"
      "  - [1]\n"
      "  - []\n";
  CHECK(canonical("method: {name: 'rtn', weight: {bits: 4, empty: {}}}\n"
                  "evaluate: [{task: perplexity, dataset: {name: self}}, {}]\n"
                  "axes:\n- 1\n- 2\n"
                  "nested: [[1], []]\n") == expected);
  CHECK(canonical(expected) == expected);
}

TEST_CASE("flow_text is one line") {
  CHECK(flow_text(parse_yaml("a: 1\nb:\n- x\n- {c: 'd e'}\n", "s")) ==
        "{a: 1, b: [x, {c: \"d e\"}]}");
}

TEST_CASE("strings are quoted where a reader could take them for something else") {
  for (const char* word :
       {"rtn", "datasets/mini", "/data/x.yaml", "../shared", "group_size", "w4a16"}) {
    CHECK(string_text(word) == word);
  }
  for (const char* word :
       {"",  "4",   "4.0",  "1e5", "true", "No",         "on", "null", "y",  ".inf",
        "~", "a b", "a: b", "#x",  "[x",   "2024-01-01", "-x", "*x",   "<<", "\xc3\xa9"}) {
    CHECK(string_text(word) == fmt::format("\"{}\"", word));
  }
  CHECK(string_text("a\"b\\c\n\t\r") == "\"a\\\"b\\\\c\\n\\t\\r\"");
}

TEST_CASE("every string reads back as itself") {
  for (const char* word : {"", "4", "true", "null", "a\"b\\c\nd\te\rf", "\xf0\x9f\x98\x80", " x ",
                           "'", "{", "<<", "- a", "a #b", "---"}) {
    INFO(word);
    const YamlNode back = parse_yaml("k: " + string_text(word), "s").find("k")->value;
    REQUIRE(back.is_scalar());
    CHECK(back.text == word);
    CHECK_FALSE(back.integer());
    CHECK_FALSE(back.boolean());
  }
}

TEST_CASE("numbers are the shortest that read back, with a point") {
  CHECK(number_text(1) == "1.0");
  CHECK(number_text(0.01) == "0.01");
  CHECK(number_text(1e-5) == "1.0e-05");
  CHECK(number_text(-2.5e300) == "-2.5e+300");
  CHECK(number_text(0.1 + 0.2) == "0.30000000000000004");
  for (double value : {0.0, 1.0 / 3, 1e-5, 5e-324, 1.7976931348623157e308, 123456789.0, 1e22}) {
    const YamlNode back = parse_yaml(number_text(value), "s");
    CHECK(back.number() == value);
    CHECK_FALSE(back.integer());
  }
  CHECK(number_text(std::numeric_limits<double>::infinity()) == ".inf");
  CHECK(number_text(-std::numeric_limits<double>::infinity()) == "-.inf");
  CHECK(number_text(std::numeric_limits<double>::quiet_NaN()) == ".nan");
}

TEST_CASE("flatten names each value by its path and keeps its type") {
  const auto rows = flatten(parse_yaml(
      "method: {weight: {bits: 4, lr: 1.0e-2, on: true, name: '4'}}\n"
      "evaluate: [{task: perplexity}, {task: cloze, axes: [1, 2]}]\nempty: {}\nnone: []\n",
      "s"));
  const std::vector<std::pair<std::string, AttributeValue>> expected = {
      {"method.weight.bits", int64_t{4}},
      {"method.weight.lr", 0.01},
      {"method.weight.on", int64_t{1}},
      {"method.weight.name", std::string("4")},
      {"evaluate.0.task", std::string("perplexity")},
      {"evaluate.1.task", std::string("cloze")},
      {"evaluate.1.axes", std::string("[1, 2]")},
      {"empty", std::string("{}")},
      {"none", std::string("[]")},
  };
  CHECK(rows == expected);
}
