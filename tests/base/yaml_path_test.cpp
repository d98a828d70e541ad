#include "core/base/yaml/yaml_path.h"

#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

Assignment assignment(const std::string& path, const std::string& value) {
  return {parse_yaml_argument("'" + path + "'", "--set"), parse_yaml(value, "value")};
}

std::string after(const std::string& document, const std::string& path, const std::string& value) {
  YamlNode root = parse_yaml(document, "s.yaml");
  assign(root, assignment(path, value));
  return flow_text(root);
}

}  // namespace

TEST_CASE("assign replaces, makes and merges") {
  const std::string document = "{m: {w: {bits: 4, g: 8}, l: [1, 2]}, e: [{c: 1}, {c: 2}]}";
  CHECK(after(document, "m.w.bits", "3") ==
        "{m: {w: {bits: 3, g: 8}, l: [1, 2]}, e: [{c: 1}, {c: 2}]}");
  CHECK(after(document, "m.k.bits", "3") ==
        "{m: {w: {bits: 4, g: 8}, l: [1, 2], k: {bits: 3}}, e: [{c: 1}, {c: 2}]}");
  CHECK(after(document, "m.w", "{bits: 2, x: {z: 1}}") ==
        "{m: {w: {bits: 2, g: 8, x: {z: 1}}, l: [1, 2]}, e: [{c: 1}, {c: 2}]}");
  CHECK(after(document, "m.l", "[3]") == "{m: {w: {bits: 4, g: 8}, l: [3]}, e: [{c: 1}, {c: 2}]}");
  CHECK(after(document, "e.1.c", "5") ==
        "{m: {w: {bits: 4, g: 8}, l: [1, 2]}, e: [{c: 1}, {c: 5}]}");
  CHECK(after("{m: 4}", "m", "{a: 1}") == "{m: {a: 1}}");
  CHECK(after("{m: {a: 1}}", "m", "4") == "{m: 4}");
  CHECK(after("m:\n", "m.a", "4") == "{m: {a: 4}}");
}

TEST_CASE("assign appends at + and replaces a data set whole, however deep it stands") {
  CHECK(after("e: [1]", "e.+", "{a: 2}") == "{e: [1, {a: 2}]}");
  CHECK(after("e: [[1], []]", "e.1.+", "2") == "{e: [[1], [2]]}");
  CHECK(after("e: []", "e.+", "1") == "{e: [1]}");
  CHECK(after("{d: 1, dataset: {name: a, path: b}}", "dataset", "{name: c}") ==
        "{d: 1, dataset: {name: c}}");
  CHECK(after("e: {dataset: {name: a, path: b}, f: 1}", "e", "{dataset: {name: c}}") ==
        "{e: {dataset: {name: c}, f: 1}}");
  CHECK(after("dataset: {name: a, path: b}", "dataset.path", "c") ==
        "{dataset: {name: a, path: c}}");
  REQUIRE_CONFIG_ERROR(after("e: {a: 1}", "e.+", "2"),
                       "'e.+' appends to a list, but at s.yaml:1:4");
  REQUIRE_CONFIG_ERROR(after("a: 1", "e.+", "2"), "'e.+': no 'e' to append to");
}

TEST_CASE("remove takes an entry or an item away") {
  const auto without = [](const std::string& document, const std::string& path) {
    YamlNode root = parse_yaml(document, "s.yaml");
    remove(root, YamlNode::scalar(path, false));
    return flow_text(root);
  };
  CHECK(without("{a: 1, b: {c: 2, d: 3}}", "b.c") == "{a: 1, b: {d: 3}}");
  CHECK(without("{a: 1, b: {c: 2}}", "b") == "{a: 1}");
  CHECK(without("e: [1, 2, 3]", "e.1") == "{e: [1, 3]}");
  REQUIRE_CONFIG_ERROR(without("a: {bits: 1}", "a.bit"), "no 'bit'; did you mean 'bits'?");
  REQUIRE_CONFIG_ERROR(without("e: [1]", "e.1"), "'1' is not an item");
}

TEST_CASE("an assigned value keeps the place where it was written") {
  YamlNode root = parse_yaml("m: {w: {bits: 4}}", "s.yaml");
  assign(root, assignment("m.w.bits", "\n\nfour"));
  assign(root, assignment("m.v.bit", "4"));
  const YamlNode& method = root.find("m")->value;
  CHECK(method.find("w")->value.find("bits")->value.where() == "value:3:1");
  CHECK(method.find("v")->value.find("bit")->key.where() == "--set");
}

TEST_CASE("a path that leads nowhere is refused") {
  REQUIRE_CONFIG_ERROR(after("m: {name: rtn}", "m.name.bits", "4"),
                       "--set: 'm.name.bits' leads through 'rtn' at s.yaml:1:11, which has no key "
                       "'bits'");
  REQUIRE_CONFIG_ERROR(after("e: [1, 2]", "e.2", "4"),
                       "'e.2': '2' is not an item of the list at s.yaml:1:4, expected 0 to 1");
  REQUIRE_CONFIG_ERROR(after("e: [1, 2]", "e.-1", "4"), "'-1' is not an item");
  REQUIRE_CONFIG_ERROR(after("e: [1, 2]", "e.x", "4"), "'x' is not an item");
  REQUIRE_CONFIG_ERROR(after("e: []", "e.0", "4"), "is not an item");
  for (const char* path : {"", ".", "a.", ".a", "a..b", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"}) {
    REQUIRE_CONFIG_ERROR(after("a: {}", path, "4"), "is not a path");
  }
}

TEST_CASE("written_paths are the leaves of maps") {
  using Paths = std::vector<std::string>;
  CHECK(written_paths(assignment("m.bits", "4")) == Paths{"m.bits"});
  CHECK(written_paths(assignment("m", "{a: 1, b: {c: 2}}")) == Paths{"m.a", "m.b.c"});
  CHECK(written_paths(assignment("m", "[{a: 1}]")) == Paths{"m"});
  CHECK(written_paths(assignment("m", "{}")) == Paths{"m"});
}
