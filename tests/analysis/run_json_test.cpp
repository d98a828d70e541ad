#include "analysis/report/run_json.h"

#include "analysis/read/load_runs.h"
#include "tests/support/run_files.h"

using namespace wkvq;

TEST_CASE("json: the promised shape, literally") {
  const test::TemporaryFolder folder;
  test::write_run(folder.path(), "a", "name: demo\nmethod: {kv: {bits: 4, on: true, list: [1, 2]}}",
                  {{"ppl", "perplexity", 7.5, 0.25, "past", "BOS"}});
  RunFileWriter failed(folder / "b.h5", {"b", "demo", "name: demo\nmethod: {kv: {bits: 8}}"});
  test::record(failed, {"ppl", "perplexity", NAN, INFINITY, "none", ""});
  failed.fail("NaN \xff");
  const std::string expected = R"([
    {"run_id": "b", "sweep": "demo", "status": "failed",
     "config": {"name": "demo", "method": {"kv": {"bits": 8}}},
     "evaluation": {"ppl": {"metric": "perplexity", "value": null, "stderr": null, "n": 1024,
                            "kv_mode": "none", "convention": ""}},
     "cost": {}, "error": "NaN �"},
    {"run_id": "a", "sweep": "demo", "status": "done",
     "config": {"name": "demo", "method": {"kv": {"bits": 4, "on": true, "list": [1, 2]}}},
     "evaluation": {"ppl": {"metric": "perplexity", "value": 7.5, "stderr": 0.25, "n": 1024,
                            "kv_mode": "past", "convention": "BOS"}},
     "cost": {"seconds_total": 1.5, "peak_bytes_host": 1000}}])";
  const auto compact = [](const std::string& text) {
    return nlohmann::ordered_json::parse(text).dump(1);
  };
  CHECK(compact(runs_as_json(load_runs({folder.path()}))) == compact(expected));
}

TEST_CASE("jsonl: one flat line a run") {
  const test::TemporaryFolder folder;
  test::write_run(folder.path(), "a", "method: {kv: {bits: 4}}",
                  {{"ppl", "perplexity", 7.5, NAN, "past", "BOS"}});
  const std::string lines = runs_as_lines(load_runs({folder.path()}));
  CHECK(lines.find('\n') == lines.size() - 1);
  const auto line = nlohmann::json::parse(lines);
  CHECK(line["run_id"] == "a");
  CHECK(line["config.method.kv.bits"] == 4);
  CHECK(line["ppl"] == 7.5);
  CHECK(line["ppl.stderr"].is_null());
  CHECK(line["ppl.convention"] == "BOS");
  CHECK(line["cost.seconds_total"] == 1.5);
  for (const auto& [key, value] : line.items()) CHECK(value.is_primitive());
}

TEST_CASE("json: an unreadable file is an object of the same shape") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "broken.h5", "words");
  const auto json = nlohmann::json::parse(runs_as_json(load_runs({folder.path()})));
  REQUIRE(json.size() == 1);
  CHECK(json[0]["run_id"] == "broken");
  CHECK(json[0]["status"] == "unreadable");
  CHECK(json[0]["config"] == nlohmann::json::object());
  CHECK(json[0]["evaluation"] == nlohmann::json::object());
  CHECK(json[0]["cost"] == nlohmann::json::object());
  CHECK(json[0]["error"].get<std::string>().find("signature") != std::string::npos);
}

TEST_CASE("runs are in order of sweep, then bits from many to few, broken ones last") {
  const test::TemporaryFolder folder;
  const auto write = [&](const std::string& id, const std::string& sweep, const std::string& yaml) {
    RunFileWriter(folder / (id + ".h5"), {id, sweep, yaml}).finish();
  };
  write("1", "b", "bits: 10");
  write("2", "b", "bits: 9");
  write("3", "b", "bits: all");
  write("4", "b", "other: 1");
  write("5", "a", "bits: 16");
  write("6", "b", "bits: 9.5");
  test::write_file(folder / "0.h5", "words");
  std::string order;
  for (const RunSummary& run : load_runs({folder.path(), folder / "3.h5"})) order += run.run_id;
  CHECK(order == "5162340");
}
