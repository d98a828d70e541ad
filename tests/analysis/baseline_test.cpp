#include "analysis/compare/baseline.h"

#include <cmath>
#include <sstream>

#include "analysis/read/load_runs.h"
#include "analysis/report/report.h"
#include "core/base/yaml/yaml_json.h"
#include "tests/support/run_files.h"

using namespace wkvq;

namespace {

/// A run of two windows of two tokens each, whose perplexity is that of `nll`.
std::filesystem::path write(const std::filesystem::path& folder, const std::string& id, int bits,
                            const std::vector<float>& nll, const std::string& text = "f") {
  const std::filesystem::path path = folder / (id + ".h5");
  RunFileWriter writer(path, {id, "demo",
                              fmt::format("method: {{name: rtn, weight: {{bits: 16}}, kv: {{bits: "
                                          "{}}}}}\ndata: {}\n",
                                          bits, text)});
  const std::string group = "/evaluation/ppl";
  writer.attribute(group, "metric", std::string("perplexity"));
  writer.attribute(group, "value", std::exp((nll[0] + nll[1] + nll[2] + nll[3]) / 4.0));
  writer.attribute(group, "stderr", 0.5);
  writer.attribute(group, "n", int64_t{4});
  for (const char* name : {"kv_mode", "convention", "dataset", "task"})
    writer.attribute(group, name, std::string("same"));
  writer.attribute(group, "data_fingerprint", text);
  writer.column(group, "window", std::vector<int64_t>{0, 0, 1, 1});
  writer.column(group, "position", std::vector<int64_t>{1, 2, 1, 2});
  writer.column(group, "nll", nll);
  writer.finish();
  return path;
}

std::string report(const std::filesystem::path& folder, const std::string& baseline,
                   const std::string& format = "markdown",
                   const std::vector<std::string>& columns = {"kv.bits", "ppl"}) {
  std::ostringstream out;
  REQUIRE(report_command(
              {.paths = {folder}, .format = format, .columns = columns, .baseline = baseline},
              out) == 0);
  return out.str();
}

}  // namespace

TEST_CASE("baseline: full precision is where every bit of the method is 16 or more") {
  const auto exact = [](const std::string& yaml) {
    RunSummary run;
    run.config = flatten(yaml_to_json(yaml));
    return is_full_precision(run);
  };
  CHECK(exact("method: {weight: {bits: 16}, kv: {bits: 16, key: {bits: 16}}}"));
  CHECK_FALSE(exact("method: {weight: {bits: 16}, kv: {bits: 16, key: {bits: 8}}}"));
  CHECK_FALSE(exact("method: {weight: {bits: 16}, rules: [{bits: 4}]}"));
  CHECK_FALSE(exact("evaluate: {bits: 16}"));  // no bits of a method
}

TEST_CASE("baseline: paired differences by hand, the baseline first") {
  const test::TemporaryFolder folder;
  write(folder.path(), "four", 4, {1.5F, 2.5F, 5, 5});
  write(folder.path(), "exact", 16, {1, 2, 3, 4});
  // Window means differ by 0.5 and 1.5: mean 1, half their distance.
  CHECK(report(folder.path(), "auto") ==
        R"(| kv.bits | perplexity, same, kv same [1] | difference, nats a token |
| ---: | ---: | ---: |
| 16 | 12.18 ± 0.50 | - |
| 4 | 33.12 ± 0.50 | 1.00 ± 0.50 |

- [1] same
- difference: to exact, paired over the same text
)");
  CHECK(report(folder.path(), "four").find("| 16 | 12.18 ± 0.50 | -1.00 ± 0.50 |") !=
        std::string::npos);
  CHECK(report(folder.path(), (folder / "exact.h5").string()) == report(folder.path(), "auto"));
  CHECK(report(folder.path(), "auto", "csv", {"run_id", "ppl"})
            .find("four,33.11545195869231,0.5,4,perplexity,same,same,same,1,0.5,nats a token\n") !=
        std::string::npos);
}

TEST_CASE("baseline: a file that is not among the runs joins them") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "runs");
  write(folder / "runs", "four", 4, {1.5F, 2.5F, 5, 5});
  const auto other = write(folder.path(), "exact", 16, {1, 2, 3, 4});
  CHECK(report(folder / "runs", other.string()).find("| 16 | 12.18 ± 0.50 | - |") !=
        std::string::npos);
}

TEST_CASE("baseline: each run is paired with the one that it differs least from") {
  const test::TemporaryFolder folder;
  for (const std::string text : {"f", "g"}) {
    const float shift = text == "f" ? 0 : 1;
    write(folder.path(), "exact_" + text, 16, {1 + shift, 2 + shift, 3 + shift, 4 + shift}, text);
    write(folder.path(), "four_" + text, 4, {2 + shift, 3 + shift, 4 + shift, 5 + shift}, text);
  }
  const std::string text = report(folder.path(), "auto", "markdown", {"run_id", "ppl"});
  INFO(text);
  CHECK(text.find("| run_id | baseline | perplexity") != std::string::npos);
  for (const std::string data : {"f", "g"})
    CHECK(text.find("| four_" + data + " | exact_" + data + " |") != std::string::npos);
  CHECK(text.find("other data") == std::string::npos);
}

TEST_CASE("baseline: what cannot be paired says why, and no finished baseline is an error") {
  const test::TemporaryFolder folder;
  write(folder.path(), "exact", 16, {1, 2, 3, 4}, "f");
  write(folder.path(), "four", 4, {2, 3, 4, 5}, "g");
  CHECK(
      report(folder.path(), "auto").find("no difference of ppl: other data: fingerprint f and g") !=
      std::string::npos);
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(report_command({.paths = {folder.path()}, .baseline = "none"}, out),
                       "--baseline 'none': no finished run of that id");
  REQUIRE_CONFIG_ERROR(report_command({.paths = {folder / "four.h5"}, .baseline = "auto"}, out),
                       "--baseline auto: no finished run in full precision; name one of four");
  REQUIRE_CONFIG_ERROR(
      report_command({.paths = {folder.path()}, .draws = "data", .baseline = "auto"}, out),
      "--draws with --baseline");
}
