#include "analysis/report/lm_eval_json.h"

#include <sstream>

#include "tests/support/run_files.h"

using namespace wkvq;
using nlohmann::ordered_json;

namespace {

struct Entry {
  std::string name, metric, task, dataset, kv_mode;
  double value, error;
  std::map<std::string, Column> rows;
  std::map<std::string, AttributeValue> attributes = {};
};

using Whole = std::vector<int64_t>;
using Reals = std::vector<double>;

std::filesystem::path write(const std::filesystem::path& path, const std::vector<Entry>& entries) {
  RunFileWriter writer(path, {path.stem().string(), "demo", test::config("rtn", 4)});
  for (const Entry& entry : entries) {
    const std::string group = "/evaluation/" + entry.name;
    writer.attribute(group, "metric", entry.metric);
    writer.attribute(group, "value", entry.value);
    writer.attribute(group, "stderr", entry.error);
    writer.attribute(group, "n", int64_t{2});
    writer.attribute(group, "kv_mode", entry.kv_mode);
    writer.attribute(group, "convention", std::string("in words"));
    writer.attribute(group, "dataset", entry.dataset);
    writer.attribute(group, "task", entry.task);
    for (const auto& [name, value] : entry.attributes) writer.attribute(group, name, value);
    for (const auto& [name, column] : entry.rows) writer.column(group, name, column);
  }
  writer.finish();
  return path;
}

Entry choices(const std::string& metric, const std::string& mode, const Whole& prediction) {
  return {
      metric + ".piqa." + mode,
      metric,
      "piqa",
      "piqa",
      mode,
      0.5,
      0.25,
      {{"item", Whole{0, 1}},
       {"label", Whole{1, 0}},
       {"prediction", prediction},
       {"ll_0", Reals{-2.5, -1}},
       {"ll_1", Reals{-1.5, NAN}}},
      {{"task_version", std::string("1.0")}, {"num_fewshot", int64_t{5}}, {"limit", int64_t{2}}}};
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("lm-eval JSON: a choice task, literally") {
  const test::TemporaryFolder folder;
  const auto run = write(folder / "kv.bits-4-0a.h5",
                         {choices("acc", "past", {1, 1}), choices("acc_norm", "past", {0, 0})});
  CHECK(write_lm_eval_json(run) == folder / "kv.bits-4-0a.lm_eval");
  const auto out = ordered_json::parse(text_of(folder / "kv.bits-4-0a.lm_eval" / "results.json"));
  CHECK(out["results"].dump() ==
        R"({"piqa":{"name":"piqa","alias":"piqa","sample_len":2,"acc,none":0.5,)"
        R"("acc_stderr,none":0.25,"acc_norm,none":0.5,"acc_norm_stderr,none":0.25}})");
  CHECK(out["versions"].dump() == R"({"piqa":"1.0"})");
  CHECK(out["n-shot"].dump() == R"({"piqa":5})");
  CHECK(out["higher_is_better"].dump() == R"({"piqa":{"acc":true,"acc_norm":true}})");
  CHECK(out["n-samples"].dump() == R"({"piqa":{"original":2,"effective":2}})");
  CHECK(out["configs"]["piqa"]["output_type"] == "multiple_choice");
  CHECK(out["configs"]["piqa"]["metadata"]["kv_mode"] == "past");
  CHECK(out["configs"]["piqa"]["metadata"]["limit"] == 2);
  CHECK(out["config"]["model_args"] == "pretrained=datasets/mini,dtype=float32");
  CHECK(out["config"]["limit"] == 2);
  CHECK(out["date"].get<double>() > 1.7e9);
  CHECK(out["model_name_sanitized"] == "datasets_mini");
  CHECK(text_of(folder / "kv.bits-4-0a.lm_eval" / "samples_piqa.jsonl") ==
        R"({"doc_id":0,"doc":{"item":0},"target":"1","resps":[[["-2.5"]],[["-1.5"]]],)"
        R"("filtered_resps":[["-2.5"],["-1.5"]],"filter":"none","metrics":["acc","acc_norm"],)"
        R"("acc":1.0,"acc_norm":0.0})"
        "\n"
        R"({"doc_id":1,"doc":{"item":1},"target":"0","resps":[[["-1"]]],)"
        R"("filtered_resps":[["-1"]],"filter":"none","metrics":["acc","acc_norm"],)"
        R"("acc":0.0,"acc_norm":1.0})"
        "\n");
}

TEST_CASE("lm-eval JSON: one task under two KV modes is two tasks") {
  const test::TemporaryFolder folder;
  const auto run =
      write(folder / "a.h5", {choices("acc", "past", {1, 1}), choices("acc", "none", {1, 0})});
  const LmEvalResults out = lm_eval_results(run);
  CHECK(out.results["results"].contains("piqa.past"));
  CHECK(out.results["results"].contains("piqa.none"));
  REQUIRE(out.samples.size() == 2);
  CHECK(out.samples[1].task == "piqa.none");
  CHECK(out.samples[1].rows[1]["acc"] == 1.0);
}

TEST_CASE("lm-eval JSON: solved examples and names tell entries of one task apart") {
  const test::TemporaryFolder folder;
  Entry shots = choices("acc", "past", {1, 0});
  shots.name = "acc.piqa-5shot.past";
  shots.dataset = "piqa-5shot";
  Entry named = choices("acc", "past", {1, 0});
  named.name = "acc.mine";
  const auto names = [&](const std::string& file, const std::vector<Entry>& entries) {
    std::vector<std::string> tasks;
    const LmEvalResults out = lm_eval_results(write(folder / file, entries));
    for (const auto& item : out.results["results"].items()) tasks.push_back(item.key());
    return tasks;
  };
  CHECK(names("a.h5", {shots}) == std::vector<std::string>{"piqa"});
  CHECK(names("b.h5", {choices("acc", "past", {1, 1}), shots, named}) ==
        std::vector<std::string>{"piqa.past", "piqa-5shot.past", "piqa.mine"});
}

TEST_CASE("lm-eval JSON: rolling perplexity of WikiText-2 is the harness's wikitext") {
  const test::TemporaryFolder folder;
  const auto entry = [](const std::string& metric, const std::string& unit) {
    return Entry{metric + ".wikitext2.none",
                 metric,
                 "rolling_perplexity",
                 "wikitext2",
                 "none",
                 7.5,
                 NAN,
                 {{"document", Whole{0, 1}}, {"nll", Reals{3, 4}}, {unit, Whole{5, 6}}}};
  };
  const LmEvalResults out = lm_eval_results(
      write(folder / "a.h5", {entry("word_perplexity", "words"), entry("bits_per_byte", "bytes")}));
  const ordered_json& values = out.results["results"]["wikitext"];
  CHECK(values["word_perplexity,none"] == 7.5);
  CHECK(values["word_perplexity_stderr,none"] == "N/A");
  CHECK(out.results["versions"]["wikitext"] == "N/A");
  CHECK(out.results["higher_is_better"]["wikitext"]["bits_per_byte"] == false);
  CHECK(out.results["configs"]["wikitext"]["output_type"] == "loglikelihood_rolling");
  REQUIRE(out.samples.size() == 1);
  CHECK(out.samples[0].rows[1]["word_perplexity"] == ordered_json({-4.0, 6}));
  CHECK(out.samples[0].rows[1]["doc_id"] == 1);
}

TEST_CASE("lm-eval JSON: windows of text have no samples, one continuation is greedy or not") {
  const test::TemporaryFolder folder;
  const Entry windows{"perplexity.self.past",
                      "perplexity",
                      "perplexity",
                      "self",
                      "past",
                      NAN,
                      1,
                      {{"window", Whole{0}}, {"position", Whole{1}}, {"nll", Reals{2}}}};
  const Entry last{"acc.lambada_openai.past",
                   "acc",
                   "lambada_openai",
                   "lambada_openai",
                   "past",
                   1,
                   NAN,
                   {{"item", Whole{4}}, {"ll", Reals{-2}}, {"greedy", Whole{1}}}};
  const LmEvalResults out = lm_eval_results(write(folder / "a.h5", {windows, last}));
  CHECK(out.results["results"]["perplexity_self"]["perplexity,none"].is_null());
  REQUIRE(out.samples.size() == 1);
  CHECK(out.samples[0].rows[0]["filtered_resps"] ==
        ordered_json::array({ordered_json::array({"-2", "True"})}));
  CHECK(out.results["configs"]["lambada_openai"]["output_type"] == "loglikelihood");
}

TEST_CASE("lm-eval JSON: files that are no finished runs") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "words.h5", "no HDF5");
  REQUIRE_CONFIG_ERROR(write_lm_eval_json(folder / "words.h5"), "signature");
  RunFileWriter failed(folder / "failed.h5", {"failed", "demo", test::config("rtn", 2)});
  failed.fail("NaN");
  REQUIRE_CONFIG_ERROR(write_lm_eval_json(folder / "failed.h5"), "status failed");
  CHECK_FALSE(std::filesystem::exists(folder / "failed.lm_eval"));
}
