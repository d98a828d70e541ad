#include "core/base/options/options_yaml.h"

#include <memory>

#include "core/base/options/options_text.h"
#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

enum class Mode { kNone, kAll, kPast };

struct View {
  Mode mode = Mode::kPast;
  int64_t window = 1;
  void visit(OptionVisitor& v) {
    v.choice("mode", mode, {"none", "all", "past"}, "which past a query sees quantized");
    v("window", window, "last tokens kept");
    if (window < 0) v.reject("window", "must be at least 0");
  }
};

struct Weight {
  int64_t bits = 4;
  bool symmetric = false;
  double lr = 0.01;
  std::string scale = "float16";
  std::vector<int64_t> axes = {1, 2};
  View view;
  void visit(OptionVisitor& v) {
    v("bits", bits, "bits a value");
    v("symmetric", symmetric, "grid around zero");
    v("lr", lr, "learning rate");
    v("scale", scale, "type of the scales");
    v("axes", axes, "axes of the groups");
    v("view", view, "view of the cache");
    if (bits > 16) v.reject("bits", "at most 16, given " + std::to_string(bits));
    if (symmetric && bits == 1) v.reject("", "one bit cannot be symmetric");
  }
};

Weight read_weight(const std::string& text) {
  Weight weight;
  const YamlNode node = parse_yaml(text, "s.yaml");
  read_options(node, "method.weight", weight);
  return weight;
}

}  // namespace

TEST_CASE("what is given is read, the rest keeps its defaults") {
  const Weight all = read_weight(
      "{bits: 3, symmetric: true, lr: 1e-5, scale: float32, axes: [-1, 7], view: {mode: none}}");
  CHECK(all.bits == 3);
  CHECK(all.symmetric);
  CHECK(all.lr == 1e-5);
  CHECK(all.scale == "float32");
  CHECK(all.axes == std::vector<int64_t>{-1, 7});
  CHECK(all.view.mode == Mode::kNone);
  CHECK(all.view.window == 1);
  const Weight none = read_weight("{}");
  CHECK(none.bits == 4);
  CHECK(none.view.mode == Mode::kPast);
  CHECK(read_weight("lr: 3").lr == 3.0);
  CHECK(read_weight("scale: 16").scale == "16");
  CHECK(read_weight("axes: []").axes.empty());
}

TEST_CASE("an unknown key names the nearest and its place") {
  REQUIRE_CONFIG_ERROR(read_weight("lr: 1\nbit: 4\n"),
                       "s.yaml:2:1: method.weight: unknown key 'bit'; did you mean 'bits'? (known: "
                       "bits, symmetric, lr, scale, axes, view)");
  REQUIRE_CONFIG_ERROR(
      read_weight("view: {widow: 1}"),
      "s.yaml:1:8: method.weight.view: unknown key 'widow'; did you mean 'window'?");
  REQUIRE_CONFIG_ERROR(read_weight("{temperature: 4}"), "unknown key 'temperature' (known: bits");
}

TEST_CASE("a wrong type says what was given and what was expected") {
  REQUIRE_CONFIG_ERROR(
      read_weight("bits: four"),
      "s.yaml:1:7: method.weight.bits: expected a whole number (such as 4), given 'four'");
  REQUIRE_CONFIG_ERROR(read_weight("bits: 4.0"), "given '4.0'");
  REQUIRE_CONFIG_ERROR(read_weight("bits: \"4\""), "given the quoted text \"4\"");
  REQUIRE_CONFIG_ERROR(read_weight("bits: {a: 1}"), "given a map");
  REQUIRE_CONFIG_ERROR(read_weight("bits: [1]"), "given a list");
  REQUIRE_CONFIG_ERROR(read_weight("bits:"), "expected a whole number (such as 4), given nothing");
  REQUIRE_CONFIG_ERROR(read_weight("symmetric: yes"), "expected true or false, given 'yes'");
  REQUIRE_CONFIG_ERROR(read_weight("lr: .inf"), "expected a finite number (such as 0.5 or 1e-5)");
  REQUIRE_CONFIG_ERROR(read_weight("lr: fast"), "given 'fast'");
  REQUIRE_CONFIG_ERROR(read_weight("scale: [a]"), "method.weight.scale: expected a text, given a");
  REQUIRE_CONFIG_ERROR(read_weight("scale: ~"), "expected a text, given nothing");
  REQUIRE_CONFIG_ERROR(read_weight("axes: 1"), "expected a list of whole numbers");
  REQUIRE_CONFIG_ERROR(read_weight("axes: [1, x]"),
                       "s.yaml:1:11: method.weight.axes: expected whole numbers, given 'x'");
  REQUIRE_CONFIG_ERROR(read_weight("view: past"), "method.weight.view: expected a map");
  REQUIRE_CONFIG_ERROR(read_weight("view:"), "expected a map of keys and values, given nothing");
  REQUIRE_CONFIG_ERROR(read_weight("[1]"), "s.yaml:1:1: method.weight: expected a map");
  REQUIRE_CONFIG_ERROR(read_weight("bits: " + std::string(1000, 'x')), "xxx...'");
}

TEST_CASE("a value outside the choices names the nearest") {
  REQUIRE_CONFIG_ERROR(read_weight("view:\n  mode: pst\n"),
                       "s.yaml:2:9: method.weight.view.mode: 'pst' is not a choice; did you mean "
                       "'past'? (choices: none, all, past)");
  REQUIRE_CONFIG_ERROR(read_weight("view: {mode: [all]}"), "a list is not a choice");
  REQUIRE_CONFIG_ERROR(read_weight("view: {mode: }"), "nothing is not a choice");
}

TEST_CASE("reject points at the value, or at the map where the default is at fault") {
  REQUIRE_CONFIG_ERROR(read_weight("lr: 1\nbits: 17"),
                       "s.yaml:2:7: method.weight.bits: at most 16, given 17");
  REQUIRE_CONFIG_ERROR(read_weight("{bits: 1, symmetric: true}"),
                       "s.yaml:1:1: method.weight: one bit cannot be symmetric");
  REQUIRE_CONFIG_ERROR(read_weight("view: {window: -1}"),
                       "s.yaml:1:16: method.weight.view.window: must be at least 0");
}

namespace {

/// A part whose kind is named in the file, as methods, datasets and tasks are.
struct Part {
  virtual ~Part() = default;
  virtual void visit(OptionVisitor& v) = 0;
};

struct Rtn final : Part {
  Weight weight;
  void visit(OptionVisitor& v) override { v("weight", weight, "weights"); }
};

struct Kivi final : Part {
  int64_t residual = 32;
  void visit(OptionVisitor& v) override { v("residual", residual, "tokens kept"); }
};

std::unique_ptr<Part> make_part(const std::string& name) {
  if (name == "rtn") return std::make_unique<Rtn>();
  if (name == "kivi") return std::make_unique<Kivi>();
  config_error("no method '{}' (known: rtn, kivi)", name);
}

struct Common {
  std::string label;
  void visit(OptionVisitor& v) { v("label", label, "name in tables"); }
};

std::string read_method(const std::string& text) {
  const YamlNode root = parse_yaml(text, "s.yaml");
  YamlMap document(root, "");
  YamlMap map = document.take_map("method");
  const std::string name = map.take_string("name");
  const auto part = map.located("name", [&] { return make_part(name); });
  Common common;
  map.read(common);
  map.read(*part);
  map.finish();
  document.finish();

  YamlWriter writer;
  writer.begin_map("method");
  writer.text("name", name);
  writer.write(common);
  writer.write(*part);
  writer.end();
  return flow_text(writer.root());
}

}  // namespace

TEST_CASE("a part is made by name and reads the rest of the map") {
  CHECK(read_method("method: {name: kivi, residual: 64, label: x}") ==
        "{method: {name: kivi, label: x, residual: 64}}");
  CHECK(read_method("method: {weight: {bits: 3}, name: rtn}").find("bits: 3") != std::string::npos);
}

TEST_CASE("several readers of one map know the union of their keys") {
  REQUIRE_CONFIG_ERROR(read_method("method: {name: kivi, residul: 64}"),
                       "s.yaml:1:22: method: unknown key 'residul'; did you mean 'residual'? "
                       "(known: name, label, residual)");
  REQUIRE_CONFIG_ERROR(read_method("method: {name: kivi, weight: {}}"), "unknown key 'weight'");
  REQUIRE_CONFIG_ERROR(read_method("method: {name: rtn, weight: {bit: 3}}"),
                       "method.weight: unknown key 'bit'");
  REQUIRE_CONFIG_ERROR(read_method("method: {name: rtn}\nmodell: x"),
                       "s.yaml:2:1: unknown key 'modell' (known: method)");
}

TEST_CASE("an unknown kind and a missing key are located") {
  REQUIRE_CONFIG_ERROR(read_method("method:\n  name: rtnn\n"),
                       "s.yaml:2:9: method.name: no method 'rtnn' (known: rtn, kivi)");
  REQUIRE_CONFIG_ERROR(
      read_method("method: {nam: rtn}"),
      "s.yaml:1:9: method: key 'name' is missing; did you mean 'nam'? (given: nam)");
  REQUIRE_CONFIG_ERROR(read_method("model: {}"), "s.yaml:1:1: key 'method' is missing");
  REQUIRE_CONFIG_ERROR(read_method("method: rtn"), "s.yaml:1:9: method: expected a map");
  REQUIRE_CONFIG_ERROR(read_method("method: {name: [rtn]}"), "method.name: expected a text");
}

TEST_CASE("lists of maps are read item by item") {
  const YamlNode root = parse_yaml("e: [{task: a}, {task: b, x: 1}]\nbad: [1]\nworse: {}", "s");
  YamlMap map(root, "");
  auto items = map.take_maps("e");
  REQUIRE(items.size() == 2);
  CHECK(items[1].path() == "e.1");
  CHECK(items[1].take_string("task") == "b");
  REQUIRE_CONFIG_ERROR(items[1].finish(), "s:1:26: e.1: unknown key 'x' (known: task)");
  REQUIRE_CONFIG_ERROR(map.take_maps("bad"), "s:2:7: bad.0: expected a map");
  REQUIRE_CONFIG_ERROR(map.take_maps("worse"),
                       "s:3:8: worse: expected a list of maps, given a map");
  CHECK_FALSE(map.find("absent"));
  map.finish();
}

namespace {

struct Rule {
  std::string match = "*";
  int64_t bits = 4;
  void visit(OptionVisitor& v) {
    v("match", match, "pattern over names");
    v("bits", bits, "bits of what matches");
    if (bits > 16) v.reject("bits", "at most 16");
  }
};

struct Rules {
  std::vector<Rule> rules = {{"default", 2}};
  void visit(OptionVisitor& v) { v("rules", rules, "bits by name"); }
};

Rules read_rules(const std::string& text) {
  Rules rules;
  const YamlNode node = parse_yaml(text, "s.yaml");
  read_options(node, "method", rules);
  return rules;
}

std::string written(Rules rules) {
  YamlWriter writer;
  writer.write(rules);
  return flow_text(writer.root());
}

}  // namespace

TEST_CASE("a list of structs replaces its default, each item starts from its own defaults") {
  CHECK(written(read_rules("{}")) == "{rules: [{match: default, bits: 2}]}");
  CHECK(written(read_rules("rules: []")) == "{rules: []}");
  const std::string two = "{rules: [{match: a, bits: 4}, {match: \"*\", bits: 8}]}";
  CHECK(written(read_rules("rules: [{match: a}, {bits: 8}]")) == two);
  CHECK(written(read_rules(two)) == two);
  HelpWriter help;
  Rules none{{}};
  help.write(none);
  CHECK(help.text().find("pattern over names") != std::string::npos);
  CHECK(none.rules.empty());
}

TEST_CASE("a list of structs is read strictly") {
  REQUIRE_CONFIG_ERROR(read_rules("rules: [{match: a}, {mach: b}]"),
                       "s.yaml:1:22: method.rules.1: unknown key 'mach'; did you mean 'match'?");
  REQUIRE_CONFIG_ERROR(read_rules("rules:\n  - {bits: 17}"),
                       "s.yaml:2:12: method.rules.0.bits: at most 16");
  REQUIRE_CONFIG_ERROR(read_rules("rules: [a]"), "s.yaml:1:9: method.rules.0: expected a map");
  REQUIRE_CONFIG_ERROR(read_rules("rules: {match: a}"),
                       "method.rules: expected a list of maps, given a map");
}
