#include "analysis/report/report.h"

#include <sstream>

#include "tests/support/run_files.h"

using namespace wkvq;
using test::config;
using test::write_run;

namespace {

std::string report(const ReportOptions& options) {
  std::ostringstream out;
  REQUIRE(report_command(options, out) == 0);
  return out.str();
}

/// Three runs: 2, 4 and 16 bits, written in another order.
void three_runs(const std::filesystem::path& folder) {
  write_run(folder, "kv4", config("rtn", 4),
            {{"ppl", "perplexity", 7.5, 0.126}, {"cloze", "acc", 0.8, 0.02, "past", "200 items"}});
  write_run(
      folder, "kv16", config("rtn", 16),
      {{"ppl", "perplexity", 7.0625, 0.12}, {"cloze", "acc", 0.85, 0.02, "past", "200 items"}});
  write_run(folder, "kv2", config("rtn", 2),
            {{"ppl", "perplexity", 123.456, 10}, {"cloze", "acc", 0.5, 0, "past", "200 items"}});
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("report: three runs as a table") {
  const test::TemporaryFolder folder;
  three_runs(folder / "sweep");
  CHECK(report({.paths = {folder.path()}}) ==
        R"(          perplexity            acc
                self           self
kv.bits  kv past [1]    kv past [2]
-------  -----------  -------------
     16  7.06 ± 0.12  0.850 ± 0.020
      4  7.50 ± 0.13  0.800 ± 0.020
      2     123 ± 10            0.5

[1] windows of 512 tokens, BOS in front
[2] 200 items
)");
}

TEST_CASE("report: three runs as markdown, grouped") {
  const test::TemporaryFolder folder;
  three_runs(folder.path());
  CHECK(report({.paths = {folder.path()}, .format = "markdown"}) ==
        R"(| kv.bits | perplexity, self, kv past [1] | acc, self, kv past [2] |
| ---: | ---: | ---: |
| 16 | 7.06 ± 0.12 | 0.850 ± 0.020 |
| 4 | 7.50 ± 0.13 | 0.800 ± 0.020 |
| 2 | 123 ± 10 | 0.5 |

- [1] windows of 512 tokens, BOS in front
- [2] 200 items
)");
  CHECK(report({.paths = {folder.path()},
                .format = "markdown",
                .columns = {"ppl"},
                .group_by = "kv.bits"}) ==
        R"(### kv.bits = 16

| perplexity, self, kv past [1] |
| ---: |
| 7.06 ± 0.12 |

### kv.bits = 4

| perplexity, self, kv past [1] |
| ---: |
| 7.50 ± 0.13 |

### kv.bits = 2

| perplexity, self, kv past [1] |
| ---: |
| 123 ± 10 |

- [1] windows of 512 tokens, BOS in front
)");
}

TEST_CASE("report: csv has full precision and the conventions beside each number") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 4), {{"ppl", "perplexity", 1.0 / 3, 0.1}});
  write_run(folder.path(), "b", config("rtn", 2), {{"ppl", "perplexity", -NAN, 0}});
  const std::string rest =
      "1024,perplexity,self,past,\"windows of 512 tokens, BOS in front\",done\n";
  CHECK(report({.paths = {folder.path()}, .format = "csv"}) ==
        "run_id,method.kv.bits,ppl,ppl.stderr,ppl.n,ppl.metric,ppl.dataset,ppl.kv_mode,"
        "ppl.convention,status\n"
        "a,4,0.3333333333333333,0.1," +
            rest + "b,2,nan,0," + rest);
  CHECK(report({.paths = {folder.path()},
                .format = "csv",
                .columns = {"status"},
                .group_by = "kv.bits"}) == "method.kv.bits,status\n4,done\n2,done\n");
}

TEST_CASE("report: conventions that differ between runs are said by each cell") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 8), {{"ppl", "perplexity", 7, 0.1, "past", "BOS"}});
  write_run(folder.path(), "b", config("rtn", 4),
            {{"ppl_b", "perplexity", 6, 0.1, "past", "none"}});
  CHECK(report({.paths = {folder.path()}, .format = "markdown"}) ==
        R"(| kv.bits | perplexity, self, kv past |
| ---: | ---: |
| 8 | 7.00 ± 0.10 [1] |
| 4 | 6.00 ± 0.10 [2] |

- [1] BOS
- [2] none
)");
}

TEST_CASE("report: two conventions in one run are two columns with two notes") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 8),
            {{"ppl", "perplexity", 7, 0.1, "past", "BOS"},
             {"ppl_b", "perplexity", 6, 0.1, "past", "none"}});
  const std::string text = report({.paths = {folder.path()}, .format = "markdown"});
  CHECK(contains(text, "perplexity, self, kv past [1] | perplexity, self, kv past [2] |"));
}

TEST_CASE("report: KV modes that differ between runs are said by each row") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 4), {{"ppl", "perplexity", 7, 0.1, "past", ""}});
  write_run(folder.path(), "b", config("rtn", 8), {{"ppl", "perplexity", 6, 0.1, "all", ""}});
  CHECK(report({.paths = {folder.path()}, .format = "markdown"}) ==
        R"(| kv.bits | kv mode | perplexity, self, kv by row |
| ---: | --- | ---: |
| 8 | all | 6.00 ± 0.10 |
| 4 | past | 7.00 ± 0.10 |
)");
}

TEST_CASE("report: evaluations of one metric in one run keep their names and modes") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 4),
            {{"ppl_a", "perplexity", 7, 0.1, "past", ""},
             {"ppl_b", "perplexity", 8, 0.1, "past", ""},
             {"ppl_c", "perplexity", 9, 0.1, "all", ""}});
  CHECK(contains(report({.paths = {folder.path()}, .format = "markdown"}),
                 "| run_id | ppl_a, perplexity, self, kv past | ppl_b, perplexity, self, kv past | "
                 "perplexity, self, kv all |"));
}

TEST_CASE("report: broken files and failed runs are rows with their reasons") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "good", config("rtn", 4), {{"ppl", "perplexity", 7, 0.1, "past", ""}});
  test::write_file(folder / "broken.h5", "no HDF5");
  test::write_file(folder / "good.h5.1.tmp", "not a result");
  RunFileWriter failed(folder / "failed.h5", {"failed", "demo", config("rtn", 2)});
  failed.fail("NaN in\nblock 3");
  const std::string text = report({.paths = {folder.path()}, .format = "markdown"});
  CHECK(contains(text,
                 "| good | 4 | 7.00 ± 0.10 | done |\n| failed | 2 | - | failed |\n"
                 "| broken | - | - | unreadable |\n"));
  CHECK(contains(text, "- failed failed: NaN in block 3\n"));
  CHECK(contains(text, "- unreadable broken: "));
  CHECK(contains(text, "no signature of HDF5"));
}

TEST_CASE("report: keys that always agree share one column") {
  const test::TemporaryFolder folder;
  for (int bits : {2, 4})
    write_run(folder.path(), std::to_string(bits),
              fmt::format("method: {{kv: {{key: {{bits: {0}}}, value: {{bits: {0}}}, bits: {0}}}}}",
                          bits),
              {{"ppl", "perplexity", 7, 0.1, "past", ""}});
  const std::string text = report({.paths = {folder.path()}});
  CHECK(contains(text, "\nkv.bits      kv past\n"));
  CHECK(contains(text,
                 "equal in every run: method.kv.bits = method.kv.key.bits = "
                 "method.kv.value.bits\n"));
}

TEST_CASE("report: options and paths that cannot be used") {
  const test::TemporaryFolder folder;
  three_runs(folder / "sweep");
  std::filesystem::create_directory(folder / "empty");
  std::ostringstream out;
  const auto run = [&](ReportOptions options) {
    options.paths = {folder.path()};
    report_command(options, out);
  };
  REQUIRE_CONFIG_ERROR(run({.format = "html"}), "'html'; expected one of table, markdown, csv");
  REQUIRE_CONFIG_ERROR(run({.columns = {"kv.bitz"}}), "nearest: 'method.kv.bits'");
  REQUIRE_CONFIG_ERROR(run({.columns = {"pp"}}), "nearest: 'ppl'");
  REQUIRE_CONFIG_ERROR(run({.columns = {"bits"}}), "ambiguous: method.kv.bits, method.weight.bits");
  REQUIRE_CONFIG_ERROR(run({.group_by = "ppl"}), "is an evaluation");
  REQUIRE_CONFIG_ERROR(run({.format = "json", .group_by = "kv.bits"}), "do not apply");
  REQUIRE_CONFIG_ERROR(report_command({.paths = {folder / "none"}}, out), "no such file or folder");
  REQUIRE_CONFIG_ERROR(report_command({.paths = {folder / "empty"}}, out), "no run files (*.h5)");
  CHECK(out.str().empty());
}

TEST_CASE("report: facts and costs are columns when asked for") {
  const test::TemporaryFolder folder;
  three_runs(folder / "sweep");
  CHECK(contains(report({.paths = {folder.path(), folder / "sweep/kv2.h5"},
                         .format = "csv",
                         .columns = {"run_id", "cost.seconds_total", "schema", "weight.bits"}}),
                 "run_id,cost.seconds_total,schema,method.weight.bits\n"
                 "kv16,1.5,wkvq-run-1,4\nkv4,1.5,wkvq-run-1,4\nkv2,1.5,wkvq-run-1,4\n"));
}

TEST_CASE("report: full precision comes first, whatever its other settings are") {
  const test::TemporaryFolder folder;
  const auto yaml = [](const std::string& name, int weight, int kv) {
    return fmt::format("method: {{name: {}, weight: {{bits: {}}}, kv: {{bits: {}}}}}", name, weight,
                       kv);
  };
  write_run(folder.path(), "awq", yaml("awq", 4, 16), {{"ppl", "perplexity", 7, 0.1}});
  write_run(folder.path(), "exact", yaml("rtn", 16, 16), {{"ppl", "perplexity", 6, 0.1}});
  CHECK(contains(report({.paths = {folder.path()}, .format = "csv", .columns = {"run_id"}}),
                 "run_id\nexact\nawq\n"));
}

TEST_CASE("report: what is not finite never looks like a number") {
  const test::TemporaryFolder folder;
  write_run(
      folder.path(), "a", config("rtn", 4),
      {{"ppl", "perplexity", -NAN, 0.1, "past", ""}, {"acc", "acc", INFINITY, 0, "past", ""}});
  CHECK(contains(report({.paths = {folder.path()}, .format = "markdown"}),
                 "| not finite (nan) | not finite (inf) |"));
}

TEST_CASE("report: quantiles of KL and the status are shown when asked for") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", config("rtn", 4),
            {{"kl", "kl", 0.5, 0.1, "past", ""},
             {"median", "kl_median", 0.25, NAN, "past", ""},
             {"p99", "llama_cpp_kl_p99", 0.75, NAN, "past", ""}});
  CHECK(report({.paths = {folder.path()}, .format = "markdown"}) ==
        "| run_id | kl, self, kv past |\n| --- | ---: |\n| a | 0.50 ± 0.10 |\n");
  CHECK(report(
            {.paths = {folder.path()}, .format = "markdown", .columns = {"kl_median", "status"}}) ==
        "| kl_median, self, kv past | status |\n| ---: | --- |\n| 0.25 | done |\n");
  // csv is for programs: all of it.
  CHECK(contains(report({.paths = {folder.path()}, .format = "csv"}), ",p99,p99.stderr,"));
}

TEST_CASE("report: pivot of one number over two settings") {
  const test::TemporaryFolder folder;
  const auto write = [&](const std::string& id, int weight, int kv, double value) {
    write_run(folder.path(), id,
              fmt::format("method: {{weight: {{bits: {}}}, kv: {{bits: {}}}}}", weight, kv),
              {{"ppl", "perplexity", value, 0.1, "past", "text"}});
  };
  write("a", 4, 4, 7);
  write("b", 4, 2, 9);
  write("c", 16, 4, 6);
  CHECK(
      report(
          {.paths = {folder.path()}, .format = "markdown", .pivot = {"weight.bits", "kv.bits"}}) ==
      R"(perplexity, self, kv past [1]

| weight.bits | kv.bits 4 | kv.bits 2 |
| ---: | ---: | ---: |
| 16 | 6.00 ± 0.10 | - |
| 4 | 7.00 ± 0.10 | 9.00 ± 0.10 |

- [1] text
)");
  write("d", 4, 2, 9.5);
  std::ostringstream out;
  const auto run = [&](ReportOptions options) {
    options.paths = {folder.path()};
    report_command(options, out);
  };
  REQUIRE_CONFIG_ERROR(run({.pivot = {"weight.bits", "kv.bits"}}), "b and d share weight.bits 4");
  REQUIRE_CONFIG_ERROR(run({.pivot = {"weight.bits"}}), "1 given; expected two columns");
  REQUIRE_CONFIG_ERROR(run({.format = "csv", .pivot = {"a", "b"}}), "expected table or markdown");
  REQUIRE_CONFIG_ERROR(run({.pivot = {"ppl", "kv.bits"}}), "--pivot 'ppl' is an evaluation");
}
