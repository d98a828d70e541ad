#include "analysis/report/show.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/run_files.h"

using namespace wkvq;

namespace {

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("show: every part of a run file") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "a.h5", {"id-1", "demo", test::config("rtn", 4)});
  test::record(writer, {"ppl", "perplexity", 7.5, 0.126, "past", "BOS"});
  writer.attribute("/cost", "seconds_total", 1.5);
  writer.attribute("/statistics/block_00/key", "sqnr_db", 20.5);
  writer.array("/statistics/block_00/key", "min", {{3}, {-1, -2, -3}});
  writer.array("/statistics/block_00/key", "none", {{0}, {}});
  writer.attribute("/statistics/block_01/q_proj", "sqnr_db", 30.25);
  writer.attribute("/sensitivity", "nll", 3.25);
  writer.column("/sensitivity", "part", std::vector<std::string>{"keys", "values"});
  writer.column("/sensitivity", "nll_increase", std::vector<double>{0.125, 0.0625});
  writer.column("/warnings", "text", std::vector<std::string>{"few tokens", "worse \x1b[31m"});
  writer.finish();
  std::ostringstream out;
  CHECK(show_command(folder / "a.h5", "table", out) == 0);
  const std::string text = out.str();
  CHECK(contains(text, "\nWarnings\n\nfew tokens\nworse "));
  CHECK(!contains(text, "\x1b"));
  CHECK(contains(text, "run_id    id-1\n"));
  CHECK(contains(text, "method.kv.bits       4\n"));
  CHECK(contains(text, "ppl   perplexity  self     past     7.50 ± 0.13  1024  BOS\n"));
  CHECK(contains(text, "seconds_total    1.5\n"));
  CHECK(contains(text, "place            sqnr_db           min  none\n"));
  CHECK(contains(text, "block_00/key        20.5  -3 .. -1 (3)  empty\n"));
  CHECK(contains(text, "nll    3.25\n"));
  CHECK(contains(text, "part    nll_increase\n"));
  CHECK(contains(text, "values        0.0625\n"));
  CHECK(contains(text, "block_01/q_proj    30.25             -  -\n"));
}

TEST_CASE("show: the worst heads first, and llama.cpp's statistics of an evaluation with KL") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "a.h5", {"id-1", "demo", test::config("rtn", 4)});
  const std::vector<std::pair<std::string, double>> metrics{
      {"perplexity", 7.5},        {"kl", 0.25},         {"top1_agreement", 0.9},
      {"perplexity_ratio", 1.25}, {"delta_p", -0.0125}, {"delta_p_rms", 0.05}};
  for (const auto& [metric, value] : metrics)
    test::record(writer, {metric + ".self", metric, value, 0.1, "past", "BOS"});
  writer.attribute("/evaluation/perplexity_ratio.self", "perplexity_full", 6.0);
  writer.attribute("/evaluation/perplexity_ratio.self", "correlation", 0.875);
  writer.attribute("/evaluation/perplexity_ratio.self", "stderr_tokens", 0.002);
  writer.attribute("/evaluation/kl.self", "percentile_99_9", 3.5);
  writer.attribute("/evaluation/delta_p.self", "stderr_tokens", 0.001);
  writer.attribute("/evaluation/delta_p.self", "percentile_5", -0.5);
  writer.array("/statistics/block_00/heads", "logit_error", {{2}, {0.5, 0.25}});
  writer.array("/statistics/block_00/heads", "output_error", {{2}, {0.01, 0.02}});
  writer.array("/statistics/block_01/heads", "logit_error", {{1}, {0.75}});
  writer.array("/statistics/block_01/heads", "output_error", {{1}, {0.08}});
  writer.finish();
  std::ostringstream out;
  CHECK(show_command(folder / "a.h5", "table", out) == 0);
  const std::string text = out.str();
  CHECK(contains(text,
                 "block_01     0         0.75          0.08           4.00\n"
                 "block_00     1         0.25          0.02           1.00\n"));
  CHECK(contains(text, "PPL(base)                     6.000000\n"));
  CHECK(contains(text, "PPL(Q)/PPL(base)              1.250000 ± 0.002000\n"));
  CHECK(contains(text, "KLD, 99.9 %                   3.500000\n"));
  CHECK(contains(text, "delta p, mean                 -1.2500 ± 0.1000 %\n"));
  CHECK(contains(text, "delta p, 5 %                  -50.0000 %\n"));
}

TEST_CASE("show: the same cells as CSV, JSON, Markdown and LaTeX") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "a.h5", {"id-1", "demo", test::config("rtn", 4)});
  test::record(writer, {"ppl", "perplexity", 7.5, 0.126, "past", "BOS, \"quoted\""});
  writer.attribute("/cost", "seconds_total", 1.5);
  writer.attribute("/cost", "peak_bytes_host", int64_t{9007199254740991});
  writer.attribute("/statistics/block_00/key", "sqnr_db", INFINITY);
  writer.column("/warnings", "text", std::vector<std::string>{"few_tokens"});
  writer.finish();
  const auto shown = [&](const std::string& format) {
    std::ostringstream out;
    CHECK(show_command(folder / "a.h5", format, out) == 0);
    return out.str();
  };
  const auto json = nlohmann::json::parse(shown("json"));
  const auto rows = [&](const std::string& title) {
    for (const auto& section : json["sections"])
      if (section["title"] == title) return section["rows"];
    return nlohmann::json();
  };
  const nlohmann::json value = {
      {"value", 7.5}, {"error", 0.126}, {"n", 1024}, {"convention", "BOS, \"quoted\""}};
  CHECK(rows("Evaluation")[0][4] == value);
  CHECK(rows("Cost")[0] == nlohmann::json({"seconds_total", 1.5}));
  CHECK(rows("Cost")[1][1] == 9007199254740991);
  CHECK(rows("Statistics")[0] == nlohmann::json({"block_00/key", "inf"}));
  const std::string csv = shown("csv");
  CHECK(csv.starts_with("section,row,column,value,error,n,convention\n"));
  CHECK(contains(csv, "\nEvaluation,ppl,value,7.5,0.126,1024,\"BOS, \"\"quoted\"\"\"\n"));
  CHECK(contains(csv, "\nStatistics,block_00/key,sqnr_db,inf,,,\n"));
  CHECK(contains(csv, "\nWarnings,0,note,few_tokens,,,\n"));
  CHECK(contains(shown("markdown"), "\n## Cost\n\n| name | value |\n| --- | ---: |\n"));
  CHECK(contains(shown("latex"), "method.kv.bits & 4 \\\\\n"));
  CHECK(contains(shown("latex"), "\\caption{Evaluation. Convention: BOS, \"quoted\".}"));
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(show_command(folder / "a.h5", "xml", out),
                       "show format 'xml'; expected one of table, markdown, csv, json, latex");
}

TEST_CASE("show: a file that is none") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "a.h5", "words");
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(show_command(folder / "a.h5", "table", out), "not a readable HDF5 file");
  CHECK(out.str().empty());
}
