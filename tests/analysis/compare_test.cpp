#include "analysis/compare/compare.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/run_files.h"

using namespace wkvq;

namespace {

struct Entry {
  std::string metric, kv_mode;
  std::map<std::string, Column> rows;
  std::string fingerprint = "f";
  std::string convention = "windows";
};

std::filesystem::path write(const std::filesystem::path& path, const std::vector<Entry>& entries,
                            bool fails = false) {
  RunFileWriter writer(path, {path.stem().string(), "demo", test::config("rtn", 4)});
  for (const Entry& entry : entries) {
    const std::string group = "/evaluation/" + entry.metric + ".self." + entry.kv_mode;
    writer.attribute(group, "metric", entry.metric);
    writer.attribute(group, "value", 1.5);
    writer.attribute(group, "stderr", 0.5);
    writer.attribute(group, "n", int64_t{4});
    writer.attribute(group, "kv_mode", entry.kv_mode);
    writer.attribute(group, "convention", entry.convention);
    writer.attribute(group, "dataset", std::string("self"));
    writer.attribute(group, "task", std::string("perplexity"));
    writer.attribute(group, "data_fingerprint", entry.fingerprint);
    for (const auto& [name, column] : entry.rows) writer.column(group, name, column);
  }
  if (fails)
    writer.fail("broken");
  else
    writer.finish();
  return path;
}

using Whole = std::vector<int64_t>;
using Reals = std::vector<float>;

Entry perplexity(const std::string& mode, const Reals& nll) {
  return {"perplexity",
          mode,
          {{"window", Whole{0, 0, 1, 1}}, {"position", Whole{1, 2, 1, 2}}, {"nll", nll}}};
}

Entry accuracy(const std::string& mode, const Whole& correct) {
  return {"acc", mode, {{"item", Whole{0, 1, 2, 3, 4}}, {"correct", correct}}};
}

RunComparison compare(const std::filesystem::path& a, const std::filesystem::path& b,
                      const std::vector<std::string>& modes = {}) {
  return compare_runs({.first = a, .second = b, .kv_modes = modes});
}

}  // namespace

TEST_CASE("compare: NLL by window, second minus first") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {perplexity("past", {1, 2, 3, 4})});
  const auto b = write(folder / "b.h5", {perplexity("past", {1.5, 2.5, 5, 5})});
  const RunComparison runs = compare(a, b);
  REQUIRE(runs.comparisons.size() == 1);
  CHECK(runs.refusals.empty());
  const Comparison& one = runs.comparisons[0];
  // Window means differ by 0.5 and 1.5: mean 1, half their distance.
  CHECK(one.difference.value == 1.0);
  CHECK(one.difference.standard_error == Approx(0.5).epsilon(1e-14));
  CHECK(one.value == "nll");
  CHECK(one.unit == "token");
  CHECK(one.cluster == "window");
  CHECK(one.clusters == 2);
  CHECK_FALSE(one.flips);
}

TEST_CASE("compare: accuracies by item, which flipped and how") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {accuracy("past", {1, 1, 0, 1, 0})});
  const auto b = write(folder / "b.h5", {accuracy("past", {0, 1, 1, 0, 0})});
  const Comparison one = compare(a, b).comparisons.at(0);
  CHECK(one.right_to_wrong == std::vector<std::string>{"0", "3"});
  CHECK(one.wrong_to_right == std::vector<std::string>{"2"});
  CHECK(one.difference.value == Approx(-0.2).epsilon(1e-14));
  REQUIRE(one.flips);
  CHECK(one.flips->right_wrong == 2);
  CHECK(one.flips->wrong_right == 1);
  CHECK(one.flips->p == Approx(1).epsilon(1e-12));
}

TEST_CASE("compare: right is told by prediction and label where no column says it") {
  const test::TemporaryFolder folder;
  const auto entry = [](const Whole& prediction) {
    return Entry{"acc_norm",
                 "none",
                 {{"item", Whole{7, 9}}, {"label", Whole{1, 2}}, {"prediction", prediction}}};
  };
  const auto a = write(folder / "a.h5", {entry({1, 0})});
  const auto b = write(folder / "b.h5", {entry({3, 2})});
  const Comparison one = compare(a, b).comparisons.at(0);
  CHECK(one.right_to_wrong == std::vector<std::string>{"7"});
  CHECK(one.wrong_to_right == std::vector<std::string>{"9"});
}

TEST_CASE("compare: one continuation an item, its parts apart") {
  const test::TemporaryFolder folder;
  const auto entry = [](const std::string& metric, const std::vector<double>& ll,
                        const Whole& greedy) {
    return Entry{metric,
                 "past",
                 {{"item", Whole{0, 0}},
                  {"part", std::vector<std::string>{"x", "y"}},
                  {"ll", ll},
                  {"greedy", greedy}}};
  };
  const auto a = write(folder / "a.h5",
                       {entry("acc", {-1, -2}, {1, 0}), entry("perplexity", {-1, -2}, {1, 0})});
  const auto b = write(folder / "b.h5",
                       {entry("acc", {-3, -3}, {0, 0}), entry("perplexity", {-3, -3}, {0, 0})});
  const auto comparisons = compare(a, b).comparisons;
  REQUIRE(comparisons.size() == 2);
  CHECK(comparisons[0].right_to_wrong == std::vector<std::string>{"x/0"});
  CHECK(comparisons[1].value == "nll");
  CHECK(comparisons[1].difference.value == 1.5);
}

TEST_CASE("compare: bits a byte are in bits") {
  const test::TemporaryFolder folder;
  const auto entry = [](const std::vector<double>& nll) {
    return Entry{
        "bits_per_byte", "past", {{"document", Whole{0, 1}}, {"nll", nll}, {"bytes", Whole{2, 2}}}};
  };
  const auto a = write(folder / "a.h5", {entry({1, 1})});
  const auto b = write(folder / "b.h5", {entry({2, 2})});
  const Comparison one = compare(a, b).comparisons.at(0);
  CHECK(one.difference.value == Approx(0.5 / std::log(2.0)).epsilon(1e-14));
}

TEST_CASE("compare: words weigh documents") {
  const test::TemporaryFolder folder;
  const auto entry = [](const std::vector<double>& nll) {
    return Entry{"word_perplexity",
                 "past",
                 {{"document", Whole{0, 1}}, {"nll", nll}, {"words", Whole{1, 7}}}};
  };
  const auto a = write(folder / "a.h5", {entry({1, 1})});
  const auto b = write(folder / "b.h5", {entry({2, 4})});
  const Comparison one = compare(a, b).comparisons.at(0);
  CHECK(one.unit == "word");
  CHECK(one.cluster == "document");
  CHECK(one.difference.value == 0.5);
  CHECK(one.difference.standard_error == Approx(1.0 / 8).epsilon(1e-14));
}

TEST_CASE("compare: KV modes, equal ones first, others where one is left, or as asked") {
  const test::TemporaryFolder folder;
  const auto a =
      write(folder / "a.h5", {perplexity("past", {1, 2, 3, 4}), perplexity("all", {2, 2, 3, 4})});
  const auto b =
      write(folder / "b.h5", {perplexity("none", {1, 1, 1, 1}), perplexity("past", {1, 2, 3, 5})});
  const RunComparison both = compare(a, b);
  REQUIRE(both.comparisons.size() == 2);
  CHECK(both.comparisons[0].first.kv_mode == "past");
  CHECK(both.comparisons[0].second.kv_mode == "past");
  CHECK(both.comparisons[1].first.kv_mode == "all");
  CHECK(both.comparisons[1].second.kv_mode == "none");
  const RunComparison within = compare(a, a, {"past", "all"});
  REQUIRE(within.comparisons.size() == 1);
  CHECK(within.comparisons[0].difference.value == 0.25);
  REQUIRE_CONFIG_ERROR(compare(a, b, {"past"}), "1 given; expected two");
}

TEST_CASE("compare: other data, conventions or rows are refused, the rest is compared") {
  const test::TemporaryFolder folder;
  const auto entries = [](Entry first) {
    return std::vector<Entry>{std::move(first), accuracy("past", {1, 1, 1, 1, 1})};
  };
  const auto a = write(folder / "a.h5", entries(perplexity("past", {1, 2, 3, 4})));
  Entry changed = perplexity("past", {1, 2, 3, 4});
  std::string expected;
  SECTION("data") {
    changed.fingerprint = "g";
    expected = "other data: fingerprint f and g";
  }
  SECTION("no fingerprint") {
    changed.fingerprint = "";
    expected = "no data fingerprint";
  }
  SECTION("convention") {
    changed.convention = "halves";
    expected = "other conventions: 'windows' and 'halves'";
  }
  SECTION("positions") {
    changed.rows["position"] = Whole{1, 2, 1, 3};
    expected = "differ in column 'position'";
  }
  SECTION("rows") {
    changed.rows.erase("nll");
    expected = "the second run has no column 'nll'";
  }
  const RunComparison runs = compare(a, write(folder / "b.h5", entries(changed)));
  REQUIRE(runs.comparisons.size() == 1);
  CHECK(runs.comparisons[0].first.metric == "acc");
  REQUIRE(runs.refusals.size() == 1);
  CHECK(runs.refusals[0].name == "perplexity.self.past");
  INFO(runs.refusals[0].why);
  CHECK(runs.refusals[0].why.find(expected) != std::string::npos);
}

TEST_CASE("compare: nothing in common is exit code 2, and says so") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {perplexity("past", {1, 2, 3, 4})});
  const auto b = write(folder / "b.h5", {accuracy("past", {1, 1, 1, 1, 1})});
  std::ostringstream out;
  CHECK(compare_command({.first = a, .second = b}, out) == 2);
  CHECK(out.str() ==
        "A: a\nB: b\n\n"
        "not compared: perplexity.self: the other run has nothing to pair it with\n"
        "not compared: acc.self: the first run has no such evaluation\n");
}

TEST_CASE("compare: files that cannot be used") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {perplexity("past", {1, 2, 3, 4})});
  const auto failed = write(folder / "failed.h5", {}, true);
  test::write_file(folder / "words.h5", "no HDF5");
  REQUIRE_CONFIG_ERROR(compare(a, failed), "status failed; expected a run that is done");
  REQUIRE_CONFIG_ERROR(compare(folder / "words.h5", a), "signature");
  REQUIRE_CONFIG_ERROR(compare(folder / "none.h5", a), "none.h5");
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(compare_command({.first = a, .second = a, .format = "xml"}, out),
                       "'xml'; expected one of table, markdown, csv, json, latex");
  REQUIRE_CONFIG_ERROR(
      compare_runs({.first = a, .second = a, .bootstrap = {.samples = 1, .seed = 0}}),
      "expected at least 100");
}

TEST_CASE("compare: markdown and JSON, literally") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {accuracy("past", {1, 1, 1, 1, 1})});
  const auto b = write(folder / "b.h5", {accuracy("none", {0, 0, 0, 0, 0})});
  std::ostringstream out;
  CHECK(compare_command({.first = a, .second = b, .format = "markdown"}, out) == 0);
  CHECK(out.str() ==
        R"(A: a

B: b

| evaluation | kv A | kv B | A | B | B - A | 95 % | unit | clusters |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |
| acc self | past | none | 1.50 ± 0.50 | 1.50 ± 0.50 | -1 | -1 .. -1 | share of items | 5 items |

| evaluation | kv A | kv B | right to wrong | wrong to right | p | test |
| --- | --- | --- | ---: | ---: | ---: | --- |
| acc self | past | none | 5 | 0 | 0.0625 | exact binomial |

- ± of B - A: paired, over clusters; 95 %: paired bootstrap of whole clusters, 10000 samples, seed 0
- acc self (past, none): right to wrong: 5 items (#0, #1, #2, #3, #4); wrong to right: no item
)");
  std::ostringstream text;
  compare_command({.first = a, .second = b, .format = "json"}, text);
  const auto json = nlohmann::json::parse(text.str());
  CHECK(json["a"]["run_id"] == "a");
  const auto& one = json["comparisons"].at(0);
  CHECK(one["kv_mode_a"] == "past");
  CHECK(one["kv_mode_b"] == "none");
  CHECK(one["difference"] == -1);
  CHECK(one["interval_95"] == nlohmann::json::array({-1, -1}));
  CHECK(one["mcnemar"]["right_to_wrong"] == 5);
  CHECK(one["right_to_wrong"].size() == 5);
  CHECK(json["not_compared"].empty());
}

TEST_CASE("compare: CSV has a line a cell, LaTeX stars and conventions") {
  const test::TemporaryFolder folder;
  const auto a = write(folder / "a.h5", {accuracy("past", {1, 1, 1, 1, 1})});
  const auto b = write(folder / "b.h5", {accuracy("none", {0, 0, 0, 0, 1})});
  const auto compared = [&](const std::string& format) {
    std::ostringstream out;
    CHECK(compare_command({.first = a, .second = b, .format = format}, out) == 0);
    return out.str();
  };
  const std::string csv = compared("csv");
  INFO(csv);
  const std::string place = "\"Paired differences: A a, B b\",acc self past none,";
  // Differences -1 four times and 0: mean -0.8, error sqrt(5 / 4 * 0.8) / 5 = 0.2.
  const size_t at = csv.find(place + "B - A,-0.8,");
  REQUIRE(at != std::string::npos);
  CHECK(std::stod(csv.substr(at + place.size() + 11)) == Approx(0.2));
  CHECK(csv.find("\nItems that flipped,acc self past none,right to wrong,4,,,\n") !=
        std::string::npos);
  const std::string latex = compared("latex");
  INFO(latex);
  // t = 4 over four degrees of freedom: p = 0.016.
  CHECK(latex.find("$-$0.80 $\\pm$ 0.20$^{*}$") != std::string::npos);
  CHECK(latex.find("\\caption{Paired differences: A a, B b. Convention: ") != std::string::npos);
}

TEST_CASE("compare: perplexities have their nats beside them") {
  const test::TemporaryFolder folder;
  const auto a =
      write(folder / "a.h5", {perplexity("past", {1, 2, 3, 4}), accuracy("past", {1, 1, 1, 1, 1})});
  const auto b = write(folder / "b.h5",
                       {perplexity("past", {1.5, 2.5, 5, 5}), accuracy("past", {1, 1, 1, 1, 0})});
  std::ostringstream out;
  compare_command({.first = a, .second = b, .format = "markdown"}, out);
  INFO(out.str());
  // Means of the rows; the errors are those of the values 1.5 ± 0.5: 0.5 / 1.5.
  CHECK(out.str().find("| A, nats | B, nats | B - A |") != std::string::npos);
  CHECK(out.str().find("| 1.50 ± 0.50 | 1.50 ± 0.50 | 2.50 ± 0.33 | 3.50 ± 0.33 | 1.00 ± 0.50 |") !=
        std::string::npos);
  CHECK(out.str().find("| - | - | -0.20 ± 0.20 |") != std::string::npos);
  CHECK(out.str().find("right to wrong: 1 item (#4); wrong to right: no item") !=
        std::string::npos);
}
