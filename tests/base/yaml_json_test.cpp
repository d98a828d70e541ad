#include "core/base/yaml/yaml_json.h"

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("yaml to json: scalars get the types of YAML 1.2, keys keep their order") {
  const auto json = yaml_to_json(
      "z: 4\ny: 1.0e-2\nx: true\nw: null\nv: '4'\nu: text\nt: -7\ns: .5\nr: +3\nq: infinity\n"
      "p: 0x1\no: [1, 2.5, a]\nn: {}\nm: 1.2.3\n");
  CHECK(json.dump() ==
        R"({"z":4,"y":0.01,"x":true,"w":null,"v":"4","u":"text","t":-7,"s":0.5,"r":3,)"
        R"("q":"infinity","p":"0x1","o":[1,2.5,"a"],"n":{},"m":"1.2.3"})");
  CHECK(yaml_to_json("a: .inf")["a"].get<double>() > 1e308);
  CHECK(yaml_to_json("a: 99999999999999999999")["a"].get<double>() == 1e20);
}

TEST_CASE("flatten: leaves under dotted keys") {
  const auto leaves = flatten(yaml_to_json(
      "name: a\nkv: {bits: 4, on: false, list: [1, 2]}\nevaluate: [{task: ppl, n: 2}, {task: c}]"));
  const std::vector<std::pair<std::string, AttributeValue>> expected{
      {"name", "a"},           {"kv.bits", int64_t{4}},    {"kv.on", "false"},
      {"kv.list", "[1,2]"},    {"evaluate.0.task", "ppl"}, {"evaluate.0.n", int64_t{2}},
      {"evaluate.1.task", "c"}};
  CHECK(leaves == expected);
}

TEST_CASE("yaml to json: hostile text is refused") {
  REQUIRE_CONFIG_ERROR(yaml_to_json("a: [1"), "not YAML");
  REQUIRE_CONFIG_ERROR(yaml_to_json(std::string(100, '[') + std::string(100, ']')), "deeper");
  REQUIRE_CONFIG_ERROR(yaml_to_json(std::string(100000, '[')), "not YAML");
  // Each line refers to the one before ten times: 10^9 nodes from 300 bytes.
  std::string bomb = "a0: &a0 x\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("*a{}{}", i - 1, j < 9 ? ", " : "]\n");
  }
  REQUIRE_CONFIG_ERROR(yaml_to_json(bomb), "more than 100000 nodes");
}
