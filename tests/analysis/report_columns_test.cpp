#include "analysis/read/report_columns.h"

#include "analysis/read/column_lookup.h"
#include "analysis/read/dotted_key.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/merge_columns.h"
#include "core/base/yaml/yaml_json.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Names = std::vector<std::string>;

Evaluation number(const std::string& name, const std::string& mode = "past",
                  const std::string& convention = "BOS", const std::string& dataset = "self") {
  return {.name = name,
          .metric = "perplexity",
          .value = 7,
          .kv_mode = mode,
          .convention = convention,
          .dataset = dataset};
}

RunSummary run(const std::string& id, const std::string& yaml,
               const std::vector<Evaluation>& evaluations = {}) {
  RunSummary made;
  made.run_id = id;
  made.path = id + ".h5";
  made.sweep = "demo";
  made.status = "done";
  made.config_tree = yaml_to_json(yaml);
  made.config = flatten(made.config_tree);
  made.evaluations = evaluations;
  made.cost = {{"seconds_total", 1.5}};
  made.attributes = {{"host", std::string("h")}};
  return made;
}

Names labels(const std::vector<ReportColumn>& columns) {
  Names names;
  for (const ReportColumn& column : columns) names.push_back(column.label);
  return names;
}

Names defaults(const std::vector<RunSummary>& runs) {
  Names same_as;
  std::vector<ReportColumn> columns = default_columns(runs, same_as);
  shorten_labels(columns);
  return labels(columns);
}

}  // namespace

TEST_CASE("dotted keys: depth, endings and whole parts") {
  CHECK(depth("a") == 0);
  CHECK(depth("a.b.c") == 2);
  CHECK(ending("a.b.c", 1) == "c");
  CHECK(ending("a.b.c", 2) == "b.c");
  CHECK(ending("a.b.c", 3) == "a.b.c");
  CHECK(ending("a.b.c", 9) == "a.b.c");
  CHECK(ending("", 1).empty());
  CHECK(ends_with_part("method.kv.bits", "kv.bits"));
  CHECK(ends_with_part("kv.bits", "kv.bits"));
  CHECK_FALSE(ends_with_part("method.rekv.bits", "kv.bits"));  // letters are no part
  CHECK_FALSE(ends_with_part("bits", "kv.bits"));
}

TEST_CASE("values: nothing first, numbers by size, then text, NaN as text") {
  const AttributeValue two(int64_t{2}), ten(int64_t{10}), half(2.5), word("a"), nan(NAN),
      inf(INFINITY);
  const std::vector<const AttributeValue*> order = {nullptr, &two, &half, &ten, &inf, &word, &nan};
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t j = 0; j < order.size(); ++j) {
      INFO(i << " " << j);
      CHECK(value_less(order[i], order[j]) == (i < j));
    }
  }
  const AttributeValue same(2.0);
  CHECK_FALSE(value_less(&two, &same));  // 2 and 2.0 are one value
  CHECK_FALSE(value_less(&same, &two));
}

TEST_CASE("differing keys: in the order of the configurations, a key that is missing differs") {
  CHECK(differing_keys({run("1", "{a: 1, b: 2, c: 3}"), run("2", "{a: 1, b: 3, c: 4}")}) ==
        Names{"b", "c"});
  CHECK(differing_keys({run("1", "{a: 1}"), run("2", "{a: 1}")}).empty());
  // The key that only the second run has stands behind its neighbour, not at the end.
  CHECK(differing_keys({run("1", "{a: 1, c: 1}"), run("2", "{a: 2, b: 5, c: 2}")}) ==
        Names{"a", "b", "c"});
  CHECK(differing_keys({run("1", "{a: 4}"), run("2", "{a: 4.0}")}).empty());
  CHECK(differing_keys({run("1", "{a: 4}"), run("2", "{a: '4'}")}) == Names{"a"});
  RunSummary broken;
  broken.status = "unreadable";
  CHECK(differing_keys({broken, run("1", "{a: 4}"), run("2", "{a: 4}")}).empty());
  CHECK(differing_keys({broken}).empty());
}

TEST_CASE("labels are as short as they stay unambiguous, never one word alone") {
  CHECK(defaults({run("1", "{m: {kv: {bits: 1}, w: {bits: 1}}}"),
                  run("2", "{m: {kv: {bits: 2}, w: {bits: 3}}}")}) ==
        Names{"kv.bits", "w.bits", "status"});
  // a.x.k and b.x.k would both be x.k.
  CHECK(defaults({run("1", "{a: {x: {k: 1}}, b: {x: {k: 1}}}"),
                  run("2", "{a: {x: {k: 2}}, b: {x: {k: 3}}}")}) ==
        Names{"a.x.k", "b.x.k", "status"});
  CHECK(defaults({run("1", "{a: {b: 1}, c: 1}"), run("2", "{a: {b: 2}, c: 3}")}) ==
        Names{"a.b", "c", "status"});
}

TEST_CASE("rows that configuration cannot tell apart get their run id, sweeps their name") {
  CHECK(defaults({run("1", "{a: 1}"), run("2", "{a: 1}")}) == Names{"run_id", "status"});
  CHECK(defaults({run("1", "{a: 1}"), run("2", "{a: 2}"), run("3", "{a: 2}")}) ==
        Names{"run_id", "a", "status"});
  auto other = run("2", "{a: 2}");
  other.sweep = "second";
  CHECK(defaults({run("1", "{a: 1}"), other}) == Names{"sweep", "a", "status"});
  // The sweep's own name in the configuration would say the same again.
  CHECK(defaults({run("1", "{name: x, a: 1}"), run("2", "{name: y, a: 2}")}) ==
        Names{"a", "status"});
}

TEST_CASE("numbers of different convention or data set are columns of their own") {
  const auto columns = evaluation_columns({run("1", "a: 1", {number("ppl"), number("acc")}),
                                           run("2", "a: 2", {number("ppl", "past", "none")}),
                                           run("3", "a: 3", {number("ppl", "past", "BOS", "c4")}),
                                           run("4", "a: 4", {number("ppl")})});
  CHECK(labels(columns) == Names{"ppl", "ppl", "ppl", "acc"});  // those of one name together
  CHECK(columns[1].convention == "none");
  CHECK(columns[2].dataset == "c4");
  CHECK(evaluation_of(run("2", "a: 2", {number("ppl", "past", "none")}), columns[0]) == nullptr);
}

TEST_CASE("merged columns: KV modes by row, where nothing else differs") {
  const std::vector<RunSummary> runs = {
      run("1", "a: 1", {number("ppl", "past"), number("kl", "past")}),
      run("2", "a: 2", {number("ppl", "all"), number("kl", "all")})};
  auto columns = evaluation_columns(runs);
  columns[2].metric = columns[3].metric = "kl";
  REQUIRE(columns.size() == 4);
  auto changed = runs;
  for (RunSummary& one : changed) one.evaluations[1].metric = "kl";
  merge_columns(changed, columns);
  add_mode_columns(changed, columns);
  CHECK(labels(columns) == Names{"kv mode", "ppl", "kl"});
  CHECK(columns[0].members == Names{"ppl", "kl"});
  CHECK(value_of(changed[1], columns[0]) == AttributeValue("all"));
  CHECK(evaluation_of(changed[1], columns[1])->kv_mode == "all");
  CHECK_FALSE(columns[1].convention_by_row);
}

TEST_CASE("merged columns: names that differ by configuration are no staircase") {
  const std::vector<RunSummary> runs = {run("1", "a: 1", {number("ppl.past")}),
                                        run("2", "a: 2", {number("ppl.kivi-w32", "kivi-w32")}),
                                        run("3", "a: 3", {number("ppl.past", "past", "none")})};
  auto columns = evaluation_columns(runs);
  REQUIRE(columns.size() == 3);
  merge_columns(runs, columns);
  add_mode_columns(runs, columns);
  CHECK(labels(columns) == Names{"kv mode", "ppl.past"});
  CHECK(columns[1].convention_by_row);
  for (const RunSummary& one : runs) CHECK(evaluation_of(one, columns[1]) == &one.evaluations[0]);
  CHECK(value_of(runs[1], columns[0]) == AttributeValue("kivi-w32"));
}

TEST_CASE("merged columns: what one run has side by side, and other data sets, stay apart") {
  const std::vector<RunSummary> runs = {
      run("1", "a: 1", {number("ppl.a"), number("ppl.b", "all")}),
      run("2", "a: 2", {number("ppl.c", "past", "BOS", "c4")}),
      run("3", "a: 3", {number("ppl.d", "all"), number("ppl.e")})};
  auto columns = evaluation_columns(runs);
  merge_columns(runs, columns);
  CHECK(labels(columns) == Names{"ppl.a", "ppl.b", "ppl.c"});
  // Each joins the one of its own KV mode.
  CHECK(evaluation_of(runs[2], columns[0])->name == "ppl.e");
  CHECK(evaluation_of(runs[2], columns[1])->name == "ppl.d");
  for (const ReportColumn& column : columns) CHECK_FALSE(column.mode_by_row);
}

TEST_CASE("values of settings: bits from many to few, others as numbers and text") {
  const AttributeValue two(int64_t{2}), ten(int64_t{10}), word("a");
  CHECK(setting_less("kv.bits", &ten, &two));
  CHECK_FALSE(setting_less("kv.bits", &two, &ten));
  CHECK(setting_less("kv.group", &two, &ten));
  CHECK(setting_less("kv.orbits", &two, &ten));  // letters are no part
  CHECK(setting_less("bits", nullptr, &ten));
  CHECK(setting_less("bits", &ten, &word));
}

TEST_CASE("columns are found by fact, key, end of a key, evaluation and cost") {
  const std::vector<RunSummary> runs = {
      run("1", "{m: {kv: {bits: 4}, status: 1}, ppl: 2}", {number("ppl"), number("ppl", "all")})};
  using Kind = ReportColumn::Kind;
  CHECK(find_columns(runs, "kv.bits").at(0).name == "m.kv.bits");
  CHECK(find_columns(runs, "bits").at(0).kind == Kind::kConfig);
  CHECK(find_columns(runs, "status").at(0).kind == Kind::kRun);  // a fact before a key's end
  CHECK(find_columns(runs, "m.status").at(0).kind == Kind::kConfig);
  CHECK(find_columns(runs, "ppl").at(0).kind == Kind::kConfig);  // a whole key before a number
  CHECK(find_columns(runs, "cost.seconds_total").at(0).kind == Kind::kCost);
  CHECK(find_columns(runs, "host").at(0).kind == Kind::kRun);
  REQUIRE_CONFIG_ERROR(find_columns(runs, "seconds_total"), "nearest: 'cost.seconds_total'");
  REQUIRE_CONFIG_ERROR(find_columns(runs, "its"), "no column 'its'");
  REQUIRE_CONFIG_ERROR(find_columns(runs, ""), "no column ''");
  const std::vector<RunSummary> two = {run("1", "a: 1", {number("ppl"), number("ppl", "all")})};
  CHECK(find_columns(two, "ppl").size() == 2);
  // A metric before the end of a key, as `kl: true` of an evaluation is one.
  const std::vector<RunSummary> named = {
      run("1", "{e: {perplexity: true}}", {number("ppl.a"), number("ppl.b")})};
  CHECK(find_columns(named, "perplexity").size() == 2);
  CHECK(find_columns(named, "perplexity").at(0).name == "ppl.a");
}

TEST_CASE("columns: what a run does not have is nothing, not another run's") {
  const RunSummary one = run("1", "{a: {b: 4}}", {number("ppl")});
  CHECK(value_of(one, plain_column(ReportColumn::Kind::kConfig, "a.b")) ==
        AttributeValue(int64_t{4}));
  CHECK_FALSE(value_of(one, plain_column(ReportColumn::Kind::kConfig, "b")));
  CHECK(value_of(one, plain_column(ReportColumn::Kind::kCost, "cost.seconds_total")) ==
        AttributeValue(1.5));
  CHECK_FALSE(value_of(one, plain_column(ReportColumn::Kind::kCost, "seconds_total")));
  CHECK_FALSE(value_of(one, plain_column(ReportColumn::Kind::kRun, "cost.seconds_total")));
  CHECK(value_of(one, plain_column(ReportColumn::Kind::kRun, "path")) == AttributeValue("1.h5"));
}
