#include <random>

#include "core/base/yaml/yaml_json.h"
#include "core/base/yaml/yaml_path.h"
#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// Grows random documents; mt19937's numbers are fixed by the standard, so all machines see the
/// same ones.
class Grower {
 public:
  explicit Grower(unsigned seed) : random_(seed) {}

  size_t below(size_t bound) { return random_() % bound; }

  std::string word() {
    static const std::vector<std::string> words = {"rtn",
                                                   "a b",
                                                   "",
                                                   "true",
                                                   "null",
                                                   "4",
                                                   "-0.5",
                                                   "1e5",
                                                   "yes",
                                                   "x: y",
                                                   "# no",
                                                   "- dash",
                                                   "\"quoted\"",
                                                   "it's",
                                                   "back\\slash",
                                                   "line\nbreak",
                                                   "tab\t",
                                                   "\xc3\xa9\xf0\x9f\x98\x80",
                                                   "a,b",
                                                   "[",
                                                   "{",
                                                   "}",
                                                   "&anchor",
                                                   "*alias",
                                                   "!tag",
                                                   "%",
                                                   "@",
                                                   "`",
                                                   "|",
                                                   ">",
                                                   "~",
                                                   "<<",
                                                   "...",
                                                   "---",
                                                   " lead",
                                                   "trail ",
                                                   "0x1f",
                                                   "1_000",
                                                   ".inf",
                                                   "2024-01-01",
                                                   "../path/x.yaml",
                                                   "010"};
    return words[below(words.size())];
  }

  YamlNode node(int depth) {
    switch (below(depth > 0 ? 7 : 4)) {
      case 0:
        return YamlNode::scalar(word(), true);
      case 1:
        return YamlNode::scalar(std::to_string(static_cast<int>(random_())), false);
      case 2:
        return YamlNode::scalar(number_text(static_cast<int>(random_()) / 4096.0), false);
      case 3:
        return YamlNode::scalar(below(2) ? "true" : "false", false);
      case 4: {
        YamlNode list = YamlNode::list();
        for (size_t i = below(4); i > 0; --i) list.items.push_back(node(depth - 1));
        return list;
      }
      default:
        return map(depth - 1);
    }
  }

  YamlNode map(int depth) {
    YamlNode map = YamlNode::map();
    for (size_t i = below(5); i > 0; --i) {
      const std::string key = word();
      if (!map.find(key)) map.entries.push_back({YamlNode::scalar(key, true), node(depth)});
    }
    return map;
  }

 private:
  std::mt19937 random_;
};

/// Equal in structure, types and values; places and quotes apart.
bool same(const YamlNode& a, const YamlNode& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  if (a.is_scalar() && (a.text != b.text || a.integer() != b.integer() ||
                        a.number() != b.number() || a.boolean() != b.boolean())) {
    return false;
  }
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  for (size_t i = 0; i < a.entries.size(); ++i) {
    if (a.entries[i].key.text != b.entries[i].key.text) return false;
    if (!same(a.entries[i].value, b.entries[i].value)) return false;
  }
  return true;
}

/// The same document for the other reader of YAML: what run files are read back with.
bool same(const YamlNode& node, const nlohmann::ordered_json& json) {
  if (node.is_map()) {
    if (!json.is_object() || json.size() != node.entries.size()) return false;
    for (const auto& [key, value] : node.entries) {
      if (!json.contains(key.text) || !same(value, json[key.text])) return false;
    }
    return true;
  }
  if (node.is_list()) {
    if (!json.is_array() || json.size() != node.items.size()) return false;
    for (size_t i = 0; i < json.size(); ++i) {
      if (!same(node.items[i], json[i])) return false;
    }
    return true;
  }
  if (const auto value = node.integer()) return json.is_number_integer() && json == *value;
  if (const auto value = node.number()) return json.is_number_float() && json == *value;
  if (const auto value = node.boolean()) return json.is_boolean() && json == *value;
  return json.is_string() && json == node.text;
}

}  // namespace

TEST_CASE("yaml: any document reads back from its canonical text, which is a fixed point") {
  Grower grower(1);
  for (int round = 0; round < 400; ++round) {
    YamlNode document = grower.map(4);
    const std::string text = block_text(document);
    INFO("round " << round << ":\n" << text);
    const YamlNode back = parse_yaml(text, "s");
    REQUIRE(same(document, back));
    REQUIRE(block_text(back) == text);
    const std::string line = flow_text(document);
    REQUIRE(line.find('\n') == std::string::npos);
    REQUIRE(same(document, parse_yaml(line, "s")));
    REQUIRE(flow_text(back) == line);
  }
}

TEST_CASE("yaml: both readers take a canonical text for the same values") {
  Grower grower(2);
  for (int round = 0; round < 400; ++round) {
    const YamlNode document = grower.map(4);
    const std::string text = block_text(document);
    INFO("round " << round << ":\n" << text);
    REQUIRE(same(document, yaml_to_json(text)));
  }
}

TEST_CASE("yaml: random damage is a ConfigError with a place, or a document") {
  Grower grower(3);
  const std::string pieces = "\"'[]{}:,-#&*!|>%@`?~\n\t \\x";
  for (int round = 0; round < 2000; ++round) {
    std::string text = block_text(grower.map(3));
    for (size_t edits = 1 + grower.below(5); edits > 0; --edits) {
      const size_t at = grower.below(text.size());
      text.replace(at, grower.below(3), 1, pieces[grower.below(pieces.size())]);
      if (text.empty()) text.push_back('x');
    }
    INFO("round " << round << ":\n" << text);
    try {
      const YamlNode document = parse_yaml(text, "s.yaml");
      REQUIRE(same(document, parse_yaml(text, "s.yaml")));
    } catch (const ConfigError& error) {
      REQUIRE(std::string(error.what()).starts_with("s.yaml:"));
    }
  }
}

TEST_CASE("yaml: what assign() writes is found at its path and nothing else changes") {
  Grower grower(4);
  for (int round = 0; round < 400; ++round) {
    YamlNode document = grower.map(4);
    const YamlNode before = document;
    std::string path = fmt::format("new{}", grower.below(3));
    // Below an existing map where there is one under a key that can stand in a path.
    for (const auto& entry : document.entries) {
      const bool plain = !entry.key.text.empty() && entry.key.text.find('.') == std::string::npos;
      if (plain && entry.value.is_map()) path = fmt::format("{}.{}", entry.key.text, path);
      if (plain && entry.value.is_map()) break;
    }
    const YamlNode value = YamlNode::scalar(std::to_string(round), false);
    const Assignment assignment{YamlNode::scalar(path, true), value};
    assign(document, assignment);
    const YamlNode* found = &document;
    for (const std::string& key : split_path(assignment.path)) {
      REQUIRE(found->find(key));
      found = &found->find(key)->value;
    }
    INFO(path << " in " << flow_text(before));
    REQUIRE(same(*found, value));
    // Taken out again, the rest is as it was.
    YamlNode* parent = &document;
    const auto keys = split_path(assignment.path);
    for (size_t i = 0; i + 1 < keys.size(); ++i) parent = &parent->find(keys[i])->value;
    parent->entries.pop_back();
    REQUIRE(same(document, before));
  }
}

TEST_CASE("yaml to json: only one sign in front of a number") {
  for (const char* word : {"+-4", "++4", "--4", "-+4", "+", "+-.5", "4+", "1e+-5"}) {
    INFO(word);
    CHECK(yaml_to_json(fmt::format("a: {}", word))["a"] == word);
  }
  CHECK(yaml_to_json("a: +4")["a"] == 4);
  CHECK(yaml_to_json("a: +.5")["a"] == 0.5);
}
