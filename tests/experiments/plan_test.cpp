#include "experiments/config/plan.h"

#include <set>

#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;
using wkvq::test::TemporaryFolder;
using wkvq::test::write_file;

namespace {

const char* const kBase =
    "name: demo\n"
    "method:\n"
    "  name: rtn\n"
    "  weight: {bits: 4, group_size: 128}\n"
    "  kv: {bits: 4}\n"
    "evaluate:\n"
    "  - {task: perplexity, context: 512}\n";

SweepFile load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  TemporaryFolder folder;
  write_file(folder / "s.yaml", text);
  return load_sweep(folder / "s.yaml", overrides);
}

std::string value_at(const PlannedRun& run, const std::string& path) {
  for (const auto& [name, value] : flatten(run.config)) {
    if (name != path) continue;
    if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
  }
  return "absent";
}

std::vector<std::string> slugs(const SweepFile& file) {
  std::vector<std::string> out;
  for (const auto& run : file.runs) out.push_back(run.slug);
  return out;
}

}  // namespace

TEST_CASE("a file without a sweep is one run") {
  const SweepFile file = load(kBase);
  CHECK(file.name == "demo");
  REQUIRE(file.runs.size() == 1);
  CHECK(file.runs[0].slug == "demo");
  CHECK(file.runs[0].axes.empty());
  CHECK_FALSE(file.runs[0].config.find("name"));
  CHECK_FALSE(file.runs[0].config.find("sweep"));
  CHECK(value_at(file.runs[0], "method.weight.bits") == "4");
}

TEST_CASE("axes are crossed, the first varies slowest") {
  const SweepFile file = load(
      std::string(kBase) + "sweep:\n  method.weight.bits: [4, 3]\n  method.kv.bits: [16, 4, 2]\n");
  CHECK(slugs(file) ==
        std::vector<std::string>{"weight.bits-4_kv.bits-16", "weight.bits-4_kv.bits-4",
                                 "weight.bits-4_kv.bits-2", "weight.bits-3_kv.bits-16",
                                 "weight.bits-3_kv.bits-4", "weight.bits-3_kv.bits-2"});
  CHECK(value_at(file.runs[4], "method.weight.bits") == "3");
  CHECK(value_at(file.runs[4], "method.kv.bits") == "4");
  CHECK(value_at(file.runs[4], "method.weight.group_size") == "128");
  using Axes = std::vector<std::pair<std::string, std::string>>;
  CHECK(file.runs[4].axes == Axes{{"method.weight.bits", "3"}, {"method.kv.bits", "4"}});
}

TEST_CASE("zip and runs are axes like the others") {
  const SweepFile file = load(std::string(kBase) +
                              "sweep:\n"
                              "  zip: {method.weight.bits: [4, 3], method.kv.bits: [4, 2]}\n"
                              "  runs:\n    - {}\n    - {evaluate.0.context: 256}\n");
  CHECK(slugs(file) == std::vector<std::string>{
                           "weight.bits-4_kv.bits-4", "weight.bits-4_kv.bits-4_0.context-256",
                           "weight.bits-3_kv.bits-2", "weight.bits-3_kv.bits-2_0.context-256"});
  CHECK(value_at(file.runs[2], "evaluate.0.context") == "512");
  CHECK(value_at(file.runs[3], "evaluate.0.context") == "256");
}

TEST_CASE("a map as a value merges into the base") {
  const SweepFile file =
      load(std::string(kBase) + "sweep:\n  method.kv: [{bits: 3}, {bits: 2, view: {mode: all}}]\n");
  CHECK(value_at(file.runs[0], "method.kv.bits") == "3");
  CHECK(value_at(file.runs[0], "method.kv.view.mode") == "absent");
  CHECK(value_at(file.runs[1], "method.kv.view.mode") == "all");
  CHECK(file.runs[1].slug == "method.kv-bits-2-view-mode-all");
}

TEST_CASE("a slug is short and fit for a file name") {
  const SweepFile file = load(std::string(kBase) + "sweep:\n  model.path: [../A b/\xc3\xa9.X, " +
                              std::string(300, 'y') + ", -1, \"\\u00e9\"]\n");
  CHECK(file.runs[0].slug == "model.path-..-a-b-.x");
  CHECK(file.runs[1].slug.size() == 80);
  CHECK(file.runs[2].slug == "model.path--1");
  CHECK(file.runs[3].slug == "model.path-");
}

TEST_CASE("option --set changes the base before the sweep") {
  const SweepFile file =
      load(std::string(kBase) + "sweep:\n  method.kv.bits: [4, 2]\n",
           {"method.weight.bits=3", "evaluate.0.context=128", "name=other", "model={path: \"a=b\"}",
            "sweep.method.kv.bits=[8, 3, 2]", "sweep.method.weight.group_size=[32]"});
  CHECK(file.name == "other");
  REQUIRE(file.runs.size() == 3);
  CHECK(value_at(file.runs[1], "method.weight.bits") == "3");
  CHECK(value_at(file.runs[1], "method.kv.bits") == "3");
  CHECK(value_at(file.runs[1], "method.weight.group_size") == "32");
  CHECK(value_at(file.runs[1], "evaluate.0.context") == "128");
  CHECK(value_at(file.runs[1], "model.path") == "a=b");
  CHECK(load(kBase, {"sweep.method.kv.bits=[4, 2]"}).runs.size() == 2);
}

TEST_CASE("option --set appends to a list, replaces a data set whole, removes") {
  const std::string base =
      "evaluate:\n"
      "  - {task: perplexity, dataset: {name: text, path: a, bos: none}, context: 8}\n"
      "calibration: {dataset: {name: text, path: a}, samples: 4}\n"
      "sweep: {a: [1, 2], b.c: [3, 4]}\n";
  const auto config = [&](const std::vector<std::string>& overrides) {
    const SweepFile file = load(base, overrides);
    return flow_text(file.runs.front().config);
  };
  CHECK(config({"~sweep", "~calibration", "evaluate.+={task: cloze}", "evaluate.+={task: x}",
                "evaluate.1.items=5", "~evaluate.2"}) ==
        "{evaluate: [{task: perplexity, dataset: {name: text, path: a, bos: none}, context: 8}, "
        "{task: cloze, items: 5}]}");
  CHECK(config({"~sweep", "~evaluate", "calibration={dataset: {name: self}, samples: 2}"}) ==
        "{calibration: {dataset: {name: self}, samples: 2}}");
  CHECK(config({"~sweep", "~calibration", "evaluate.0.dataset={name: self}"}) ==
        "{evaluate: [{task: perplexity, dataset: {name: self}, context: 8}]}");
  // One axis goes, the other stays; a key that was removed may be given anew.
  const SweepFile one = load(base, {"~sweep.b.c", "~calibration", "calibration.samples=1"});
  REQUIRE(one.runs.size() == 2);
  CHECK(value_at(one.runs[0], "calibration.dataset") == "absent");
  CHECK(value_at(one.runs[0], "calibration.samples") == "1");
  CHECK(load(base, {"~sweep.b.c", "~sweep.a"}).runs.size() == 1);
}

TEST_CASE("option --set says what it cannot append to or remove") {
  REQUIRE_CONFIG_ERROR(load(kBase, {"~method.weigth"}),
                       "--set '~method.weigth': 'method.weigth': nothing to remove: no 'weigth'; "
                       "did you mean 'weight'?");
  REQUIRE_CONFIG_ERROR(load(kBase, {"~a.b"}), "nothing to remove: no 'a'");
  REQUIRE_CONFIG_ERROR(load(kBase, {"~evaluate.1"}), "'1' is not an item of the list");
  REQUIRE_CONFIG_ERROR(load(kBase, {"~method.name.x"}), "nothing to remove: no 'x'");
  REQUIRE_CONFIG_ERROR(load(kBase, {"~sweep.x"}), "nothing to remove: no 'sweep'");
  REQUIRE_CONFIG_ERROR(
      load(std::string(kBase) + "sweep: {method.kv.bits: [4, 3]}", {"~sweep.method.kv.bit"}),
      "no sweep axis 'method.kv.bit'; did you mean 'method.kv.bits'?");
  REQUIRE_CONFIG_ERROR(load(kBase, {"~"}), "is not a path");
  REQUIRE_CONFIG_ERROR(load(kBase, {"method.+=4"}), "'method.+' appends to a list, but at");
  REQUIRE_CONFIG_ERROR(load(kBase, {"evaluat.+={}"}), "no 'evaluat' to append to");
  REQUIRE_CONFIG_ERROR(load(kBase, {"evaluate.+.context=4"}), "'+' is not an item of the list");
}

TEST_CASE("a malformed --set is named") {
  for (const char* text : {"bits", "=4", "method.kv.bits=", ""}) {
    REQUIRE_CONFIG_ERROR(load(kBase, {text}),
                         fmt::format("--set '{}': expected key.path=value", text));
  }
  REQUIRE_CONFIG_ERROR(load(kBase, {"a..b=4"}), "--set 'a..b=4': 'a..b' is not a path");
  REQUIRE_CONFIG_ERROR(load(kBase, {"method.kv.bits=[4"}),
                       "--set 'method.kv.bits=[4': a list as a key (or an open bracket)");
  REQUIRE_CONFIG_ERROR(load(kBase, {"method.kv.bits=~"}), "nothing given, expected a value");
  REQUIRE_CONFIG_ERROR(load(kBase, {"method.name.x=4"}), "leads through 'rtn'");
  REQUIRE_CONFIG_ERROR(load(kBase, {"a=1", "a=2"}), "--set 'a=2': 'a' is also set at --set 'a=1'");
  REQUIRE_CONFIG_ERROR(
      load(std::string(kBase) + "sweep: {method.kv.bits: [4]}", {"method.kv.bits=3"}),
      "s.yaml:8:9; give the axis its values: --set 'sweep.method.kv.bits=[3]'");
  REQUIRE_CONFIG_ERROR(load(kBase, {"sweep.a=[]"}), "--set 'sweep.a=[]': sweep axis 'a' is empty");
  REQUIRE_CONFIG_ERROR(load(kBase, {"name=a/b"}), "cannot name a folder");
}

namespace {

struct Kv {
  int64_t bits = 4;
  void visit(OptionVisitor& v) { v("bits", bits, "bits a value"); }
};

void read_kv(const PlannedRun& run) {
  YamlMap document(run.config, "");
  YamlMap method = document.take_map("method");
  Kv kv;
  read_options(method.take("kv"), "method.kv", kv);
}

}  // namespace

TEST_CASE("errors in a swept or overridden value point at where it was written") {
  const SweepFile file = load(std::string(kBase) + "sweep:\n  method.kv.bits: [4, four]\n");
  read_kv(file.runs[0]);
  REQUIRE_CONFIG_ERROR(read_kv(file.runs[1]),
                       "s.yaml:9:23: method.kv.bits: expected a whole number");
  const SweepFile typo = load(std::string(kBase) + "sweep:\n  method.kv.bit: [4, 3]\n");
  REQUIRE_CONFIG_ERROR(read_kv(typo.runs[0]),
                       "s.yaml:9:3: method.kv: unknown key 'bit'; did you mean");
  const SweepFile set = load(kBase, {"method.kv.bit=4"});
  REQUIRE_CONFIG_ERROR(read_kv(set.runs[0]),
                       "--set 'method.kv.bit=4': method.kv: unknown key 'bit'");
}

TEST_CASE("a file that is no sweep file is refused") {
  TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(load_sweep(folder / "absent.yaml", {}), "absent.yaml: no such file");
  REQUIRE_CONFIG_ERROR(load("- a\n"),
                       "s.yaml:1:1: expected a map of keys and values, given a list");
  REQUIRE_CONFIG_ERROR(load("name: [a]"), "name: a list cannot name a folder");
  REQUIRE_CONFIG_ERROR(load("name: .hidden"), "'.hidden' cannot name a folder");
  REQUIRE_CONFIG_ERROR(load(std::string(kBase) + "sweep: {method.name.x: [1]}"),
                       "leads through 'rtn'");
  REQUIRE_CONFIG_ERROR(load(std::string(kBase) + "sweep: {evaluate.1.context: [1]}"),
                       "'1' is not an item of the list");
}

TEST_CASE("the number of runs is bounded") {
  std::string text = std::string(kBase) + "sweep:\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("  a.k{}: [1, 2, 3, 4, 5, 6, 7, 8]\n", i);
  REQUIRE_CONFIG_ERROR(load(text), "s.yaml:13:3: sweep: more than 10000 runs with axis 'a.k4'");
  std::string large = "a: [x";
  for (int i = 0; i < 20'000; ++i) large += ", x";
  std::string numbers = "0";
  for (int i = 1; i < 1000; ++i) numbers += fmt::format(", {}", i);
  REQUIRE_CONFIG_ERROR(load(large + "]\nsweep: {b: [" + numbers + "]}"), "1000 runs of up to");
}

TEST_CASE("the name falls back to the file's") {
  TemporaryFolder folder;
  write_file(folder / "My sweep.v2.yaml", "a: 1\n");
  CHECK(load_sweep(folder / "My sweep.v2.yaml", {}).name == "my-sweep.v2");
}

TEST_CASE("a run's id depends on all of its identity") {
  const std::string id = run_id("kv.bits-4", {"bits: 4\n", "model", "data"});
  CHECK(id.size() == std::string("kv.bits-4-").size() + 10);
  CHECK(id.starts_with("kv.bits-4-"));
  CHECK(id == run_id("kv.bits-4", {"bits: 4\n", "model", "data"}));
  const std::set<std::string> all = {id, run_id("kv.bits-4", {"bits: 3\n", "model", "data"}),
                                     run_id("kv.bits-4", {"bits: 4\n", "modeldata", ""}),
                                     run_id("kv.bits-4", {"bits: 4\n", "model", "data", ""})};
  CHECK(all.size() == 4);
}

TEST_CASE("runs that resolve to the same configuration are refused") {
  const SweepFile file = load(std::string(kBase) + "sweep:\n  a: [1, 2]\n");
  require_distinct(file, {"a-1-0000000000", "a-2-0000000001"});
  REQUIRE_CONFIG_ERROR(require_distinct(file, {"a-1-0000000000", "a-2-0000000000"}),
                       "s.yaml: run 1 (a=1) and run 2 (a=2) resolve to the same configuration");
}

TEST_CASE("option --only selects by pattern") {
  const std::vector<std::string> ids = {"w-4_kv-4-aa", "w-4_kv-3-bb", "w-3_kv-4-cc"};
  using Indices = std::vector<size_t>;
  CHECK(select_runs(ids, "*") == Indices{0, 1, 2});
  CHECK(select_runs(ids, "w-4*") == Indices{0, 1});
  CHECK(select_runs(ids, "*kv-[34]-?b") == Indices{1});
  CHECK(select_runs(ids, "w-3_kv-4-cc") == Indices{2});
  REQUIRE_CONFIG_ERROR(select_runs(ids, "w-4"),
                       "--only 'w-4' matches none of 3 runs: w-4_kv-4-aa,");
}
