#include "experiments/config/sweep_axes.h"

#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

std::vector<SweepAxis> axes_of(const std::string& text) {
  const YamlNode root = parse_yaml("sweep:\n" + text, "s.yaml");
  return read_axes(root.entries.front());
}

void disjoint(const std::string& text, const std::string& overridden = "") {
  std::vector<Assignment> overrides;
  if (!overridden.empty()) {
    overrides.push_back({parse_yaml_argument(overridden, "--set 'x'"), parse_yaml("4", "--set")});
  }
  require_disjoint(axes_of(text), overrides);
}

}  // namespace

TEST_CASE("an axis is a list of values in their order") {
  const auto axes = axes_of("  m.kv.bits: [4, 3]\n  m.w: [{a: 1}]\n");
  REQUIRE(axes.size() == 2);
  CHECK(axes[0].key.text == "m.kv.bits");
  REQUIRE(axes[0].points.size() == 2);
  CHECK(axes[0].points[1].at(0).path.text == "m.kv.bits");
  CHECK(axes[0].points[1].at(0).value.text == "3");
  CHECK(axes[0].points[1].at(0).value.where() == "s.yaml:2:18");
  CHECK(axes[1].points.size() == 1);
}

TEST_CASE("zip advances its lists together") {
  const auto axes = axes_of("  zip:\n    a.b: [1, 2]\n    c: [x, y]\n");
  REQUIRE(axes.size() == 1);
  REQUIRE(axes[0].points.size() == 2);
  REQUIRE(axes[0].points[1].size() == 2);
  CHECK(axes[0].points[1][0].value.text == "2");
  CHECK(axes[0].points[1][1].value.text == "y");
}

TEST_CASE("runs are written out, one may change nothing") {
  const auto axes = axes_of("  runs:\n    - {}\n    - {a.b: 1, c: 2}\n");
  REQUIRE(axes.size() == 1);
  REQUIRE(axes[0].points.size() == 2);
  CHECK(axes[0].points[0].empty());
  CHECK(axes[0].points[1][1].path.text == "c");
}

TEST_CASE("axes that are none are refused with their place") {
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits: []"),
                       "s.yaml:2:11: sweep axis 'm.bits' is empty, expected at least one value");
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits: 4"),
                       "s.yaml:2:11: sweep axis 'm.bits': expected a list of values, given '4'");
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits:"), "expected a list of values, given nothing");
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits: {a: 1}"), "given a map");
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits: [4, ]\n  m..x: [1]"), "'m..x' is not a path");
  REQUIRE_CONFIG_ERROR(axes_of("  m.bits: [4, ~]"), "axis 'm.bits': nothing given");
  REQUIRE_CONFIG_ERROR(axes_of("  {}"), "sweep: expected a map of axes, given an empty one");
  REQUIRE_CONFIG_ERROR(axes_of("  [a]"), "sweep: expected a map of axes, given a list");
  REQUIRE_CONFIG_ERROR(axes_of(""), "sweep: expected a map of axes, given nothing");
}

TEST_CASE("zip and runs say what they expect") {
  REQUIRE_CONFIG_ERROR(
      axes_of("  zip:\n    a: [1, 2]\n    b: [1]\n"),
      "s.yaml:4:8: sweep axis 'zip': 'b' has 1 values and 'a' at s.yaml:3:8 has 2");
  REQUIRE_CONFIG_ERROR(axes_of("  zip: [1]"), "expected a map of paths to lists, given a list");
  REQUIRE_CONFIG_ERROR(axes_of("  zip: {}"), "given an empty one");
  REQUIRE_CONFIG_ERROR(axes_of("  zip: {a: []}"), "sweep axis 'a' is empty");
  REQUIRE_CONFIG_ERROR(axes_of("  runs: []"), "sweep axis 'runs' is empty");
  REQUIRE_CONFIG_ERROR(axes_of("  runs: {a: [1]}"), "expected a list of maps, given a map");
  REQUIRE_CONFIG_ERROR(axes_of("  runs: [4]"), "expected a map of paths to values, given '4'");
  REQUIRE_CONFIG_ERROR(axes_of("  runs: [{a: }]"), "axis 'a': nothing given");
}

TEST_CASE("a value given twice would be the same run twice") {
  REQUIRE_CONFIG_ERROR(
      axes_of("  m.bits: [4, 3, 4]"),
      "s.yaml:2:18: sweep axis 'm.bits': 4 is given twice, as value 1 and value 3");
  REQUIRE_CONFIG_ERROR(axes_of("  m: [{a: 1, b: 2}, {a: 1, b: 2}]"), "{a: 1, b: 2} is given twice");
  REQUIRE_CONFIG_ERROR(axes_of("  zip: {a: [1, 1], b: [2, 2]}"), "{a: 1, b: 2} is given twice");
  REQUIRE_CONFIG_ERROR(axes_of("  runs: [{}, {a: 1}, {}]"), "{} is given twice");
  CHECK(axes_of("  zip: {a: [1, 1], b: [2, 3]}").size() == 1);
}

TEST_CASE("two sources of one value are refused") {
  disjoint("  m.a: [1]\n  m.b: [1]\n  m.ab: [1]", "m.c");
  disjoint("  m.kv: [{shift: 1}]\n  m.kv.bits: [1]");
  disjoint("  runs: [{a: 1}, {a: 2, b.c: 3}, {b: {d: 1}}]");
  REQUIRE_CONFIG_ERROR(disjoint("  m.a: [1]\n  zip: {m.a: [1], b: [2]}"),
                       "s.yaml:3:3: 'm.a' is also set at s.yaml:2:3, one of the two must go");
  REQUIRE_CONFIG_ERROR(disjoint("  m.kv: [{bits: 1}]\n  m.kv.bits: [1]"),
                       "'m.kv.bits' is also set");
  REQUIRE_CONFIG_ERROR(disjoint("  m.kv.bits: [1]\n  m.kv: [none]"), "'m.kv.bits' is also set");
  REQUIRE_CONFIG_ERROR(disjoint("  runs: [{m: {a: 1}, m.a: 2}]"), "'m.a' is also set");
  REQUIRE_CONFIG_ERROR(disjoint("  m.a: [1, 2]", "m.a"),
                       "--set 'x': 'm.a' is swept at s.yaml:2:3; give the axis its values: --set "
                       "'sweep.m.a=[4]'");
  // Another path than the axis has: its value is no value of the axis.
  REQUIRE_CONFIG_ERROR(disjoint("  m.a: [1, 2]", "m"),
                       "'m.a' is swept at s.yaml:2:3; take the axis out first: --set '~sweep.m.a'");
  REQUIRE_CONFIG_ERROR(disjoint("  m.a: [1, 2]", "m.a.b"), "first: --set '~sweep.m.a'");
  REQUIRE_CONFIG_ERROR(disjoint("  zip: {m.a: [1, 2], m.b: [3, 4]}", "m.b"),
                       "first: --set '~sweep.zip'");
}
