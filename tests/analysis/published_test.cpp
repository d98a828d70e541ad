#include <set>
#include <sstream>
#include <tuple>

#include "analysis/html/html_report.h"
#include "analysis/published/published_match.h"
#include "analysis/report/published_report.h"
#include "core/base/error.h"
#include "tests/support/process.h"
#include "tests/support/run_files.h"

using namespace wkvq;
using test::TemporaryFolder;

namespace {

/// What a run of a test differs in.
struct Case {
  std::string folder = "Llama-2-7b-hf";
  std::string method =
      "{name: omniquant, weight: {bits: 4, group_size: 128}, activation: {bits: "
      "16}, kv: {bits: 16, group_size: -1}}";
  std::string entry = "windows: 0, score_from: 1, kv_mode: past";
  std::string dataset = "wikitext2";
  std::string convention = "GPTQ windows, context 2048, tail dropped, 166 windows";
  std::string kv_mode = "past";
};

RunSummary run_of(const TemporaryFolder& folder, const Case& c) {
  const std::filesystem::path path = folder / "run.h5";
  RunFileWriter writer(
      path, {"run", "demo",
             fmt::format("model: {{path: /models/{}}}\nmethod: {}\nevaluate:\n  - {{task: "
                         "perplexity, {}}}\n",
                         c.folder, c.method, c.entry)});
  const std::string group = "/evaluation/ppl";
  writer.attribute(group, "metric", "perplexity");
  writer.attribute(group, "value", 5.6);
  writer.attribute(group, "kv_mode", c.kv_mode);
  writer.attribute(group, "convention", c.convention);
  writer.attribute(group, "dataset", c.dataset);
  writer.finish();
  return read_run(path);
}

std::vector<double> values(const Case& c) {
  const TemporaryFolder folder;
  const RunSummary run = run_of(folder, c);
  std::vector<double> found;
  for (const PublishedNumber* number :
       matching(published_numbers(), setting_of(run, run.evaluations.at(0))))
    found.push_back(number->value);
  return found;
}

/// The one number of `source` for what is told of the setting.
double look_up(const std::string& source, const NumberSetting& told) {
  std::vector<double> found;
  for (const PublishedNumber& number : published_numbers()) {
    const NumberSetting& s = number.setting;
    if (number.source == source && s.model == told.model && s.method == told.method &&
        s.weight_bits == told.weight_bits && s.weight_group == told.weight_group &&
        s.activation_bits == told.activation_bits && s.kv_bits == told.kv_bits &&
        s.dataset == told.dataset)
      found.push_back(number.value);
  }
  REQUIRE(found.size() == 1);
  return found[0];
}

NumberSetting weights(const std::string& model, const std::string& method, int64_t bits,
                      int64_t group) {
  return {.model = model,
          .method = method,
          .weight_bits = bits,
          .weight_group = group,
          .activation_bits = 16,
          .kv_bits = 16,
          .dataset = "wikitext2"};
}

NumberSetting cache_of_two_bits(const std::string& model, const std::string& method,
                                const std::string& dataset) {
  return {.model = model, .method = method, .kv_bits = 2, .dataset = dataset};
}

}  // namespace

TEST_CASE("published: literals of the tables") {
  const std::string omniquant = "OmniQuant, table 1";
  CHECK(look_up(omniquant, weights("llama-2-7b", "omniquant", 4, 128)) == 5.58);
  CHECK(look_up(omniquant, weights("llama-2-13b", "omniquant", 4, 128)) == 4.95);
  CHECK(look_up(omniquant, weights("llama-2-7b", "rtn", 3, -1)) == 539.48);
  CHECK(look_up(omniquant, weights("llama-65b", "awq", 3, -1)) == 5.21);
  CHECK(look_up(omniquant, weights("llama-2-7b", "rtn", 2, 128)) == 4200);
  CHECK(look_up("GPTQ, README", weights("llama-30b", "gptq", 3, 128)) == 4.80);
  NumberSetting cache = weights("llama-2-13b", "kivi", 16, 0);
  cache.kv_bits = 2;
  cache.dataset = "gsm8k";
  CHECK(look_up("KIVI, table 3", cache) == 20.77);
  CHECK(look_up("KIVI", cache_of_two_bits("llama-2-13b", "kivi_group_128", "gsm8k")) == 17.29);
  NumberSetting epochs = weights("llama-7b", "omniquant_epochs_10", 3, -1);
  epochs.kv_bits = 0;
  CHECK(look_up("OmniQuant, ablations", epochs) == 6.51);
}

TEST_CASE("published: every number has a source and a known tag, and is there once") {
  std::set<std::tuple<std::string, std::string, std::string, std::string, std::string, std::string,
                      std::string, std::vector<int64_t>>>
      keys;
  for (const PublishedNumber& number : published_numbers()) {
    const NumberSetting& s = number.setting;
    INFO(number.source << " " << s.model << " " << s.method << " " << s.dataset);
    CHECK(!number.source.empty());
    CHECK(std::string("RP2?").find(number.tag) != std::string::npos);
    CHECK(s.method != "wkvquant");
    CHECK(keys.insert({number.source,
                       number.note,
                       s.model,
                       s.method,
                       s.metric,
                       s.dataset,
                       s.kv_mode,
                       {s.context, s.weight_bits, s.weight_group, s.activation_bits, s.kv_bits,
                        s.kv_group}})
              .second);
  }
  // 4 weight settings of 3 or 4 methods on 7 models alone are more than that.
  CHECK(keys.size() > 200);
}

TEST_CASE("published: a run gets the numbers of its setting and no other") {
  CHECK(values({}) == std::vector{5.58});
  // Two sources with the same setting.
  CHECK(values({.folder = "llama-7b",
                .method = "{name: rtn, weight: {bits: 4, group_size: -1}, kv: {bits: 16}}"}) ==
        std::vector{6.43, 6.29});
  CHECK(values({.folder = "Llama-2-7b-chat-hf"}).empty());
  CHECK(values({.folder = "mini"}).empty());
  CHECK(values({.dataset = "wikitext2-train"}).empty());
  CHECK(values({.convention = "GPTQ windows, context 512, tail dropped, 10 windows"}).empty());
  CHECK(values({.convention = "fixed windows, context 2048, 166 windows"}).empty());
  CHECK(values({.entry = "windows: 4, score_from: 1, kv_mode: past"}).empty());
  CHECK(values({.entry = "windows: 0, score_from: 1024, kv_mode: past"}).empty());
  // Another method, group, bits of activations, cache that is quantized.
  for (const char* method :
       {"{name: wkvquant, weight: {bits: 4, group_size: 128}, kv: {bits: 16}}",
        "{name: omniquant, weight: {bits: 4, group_size: 64}, kv: {bits: 16}}",
        "{name: omniquant, weight: {bits: 4, group_size: 128}, activation: {bits: 8}}",
        "{name: omniquant, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}",
        "{name: omniquant, weight: {bits: 4, group_size: 128}, kv: {bits: 16, value: {bits: 4}}}"})
    CHECK(values({.method = method}).empty());
}

TEST_CASE("published: full precision is one setting, whatever the method is called") {
  const Case whole{.method =
                       "{name: wkvquant, weight: {bits: 16, group_size: 128}, kv: {bits: 16}}"};
  // OmniQuant and QuaRot; SmoothQuant's own sample of it.
  CHECK(values(whole) == std::vector{5.47, 5.474, 5.47});
}

TEST_CASE("published: a quantized cache has to be seen and grouped the same way") {
  const std::string method =
      "{name: omniquant, weight: {bits: 4, group_size: -1}, activation: {bits: 4}, kv: {bits: 4, "
      "group_size: GROUP, axis: token, group_scope: head, rotate: ROTATE}}";
  const auto run = [&](const std::string& group, const std::string& rotate,
                       const std::string& mode) {
    std::string filled = method;
    filled.replace(filled.find("GROUP"), 5, group);
    filled.replace(filled.find("ROTATE"), 6, rotate);
    return values({.method = filled,
                   .entry = "windows: 0, score_from: 1, kv_mode: " + mode,
                   .kv_mode = mode});
  };
  CHECK(run("-1", "none", "all") == std::vector{14.26});
  CHECK(run("-1", "none", "past").empty());
  CHECK(run("64", "none", "all").empty());
  CHECK(run("-1", "hadamard", "all").empty());
}

TEST_CASE("published: bits of other formats are not those of the tables") {
  Case c;
  REQUIRE(!values(c).empty());
  c.method =
      "{name: omniquant, weight: {bits: 4, format: nf4, group_size: 128}, activation: {bits: 16}, "
      "kv: {bits: 16, group_size: -1}}";
  CHECK(values(c).empty());
  c.method =
      "{name: omniquant, weight: {bits: 4, group_size: 128}, activation: {bits: 16}, "
      "kv: {bits: 8, format: fp8_e4m3, group_size: -1}}";
  CHECK(values(c).empty());
}

TEST_CASE("published: table with sources, tags and what is missing") {
  const TemporaryFolder folder;
  const std::vector<PublishedNumber> numbers = read_published(parse_yaml(
      "tables:\n  - {source: Notes, tag: '2', note: by hand, metric: perplexity, dataset: "
      "wikitext2, context: 2048, weight_bits: 4, weight_group: 128, activation_bits: 16, kv_bits: "
      "16, models: [LLaMA-2-7B, LLaMA-2-13B], rows: {omniquant: [5.5, null]}}\n",
      "test"));
  REQUIRE(numbers.size() == 1);
  const RunSummary run = run_of(folder, {});
  CHECK(published_table({run}, numbers).rows ==
        std::vector<std::vector<std::string>>{
            {"run", "ppl", "5.6", "5.5", "Notes [2], not a target", "by hand"}});
  CHECK(published_table({run}, {}).rows[0][4] == "none of this setting");
  const RunSummary own =
      run_of(folder, {.method = "{name: wkvquant, weight: {bits: 4, group_size: 128}, kv: {bits: "
                                "4}}"});
  CHECK(published_table({own}, published_numbers()).rows[0][4] ==
        "WKVQuant's own tables are known from notes, as wkvquant_published");
  std::ostringstream out;
  CHECK(report_command({.paths = {folder.path()}, .published = true}, out) == 0);
  CHECK(out.str().find("\nPublished numbers\n") != std::string::npos);
  REQUIRE_CONFIG_ERROR(
      report_command({.paths = {folder.path()}, .format = "csv", .published = true}, out),
      "expected table, markdown or latex");
}

TEST_CASE("published: beside ours in every rendering that has them") {
  const TemporaryFolder folder;
  const RunSummary run = run_of(folder, {});
  const std::vector<std::string> row = published_table({run}, published_numbers()).rows.at(0);
  REQUIRE(std::stod(row[3]) > 5);  // OmniQuant's own number for this setting
  const auto shows = [&](const std::string& text) {
    return text.find("Published numbers") != std::string::npos &&
           text.find(row[2]) != std::string::npos && text.find(row[3]) != std::string::npos;
  };
  for (const char* format : {"table", "markdown", "latex"}) {
    INFO(format);
    std::ostringstream out;
    report_command({.paths = {folder.path()}, .format = format, .published = true}, out);
    CHECK(shows(out.str()));
  }
  std::ostringstream out;
  html_command({.paths = {folder.path()}, .published = true}, folder / "page.html", out);
  CHECK(shows(test::read_text(folder / "page.html")));
}

TEST_CASE("published: what is no table is refused with its place") {
  const auto read = [](const std::string& text) { return read_published(parse_yaml(text, "t")); };
  REQUIRE_CONFIG_ERROR(
      read("tables:\n  - {tag: R, dataset: c4, models: [a], rows: {rtn: [1.5]}}\n"), "source");
  REQUIRE_CONFIG_ERROR(
      read("tables:\n  - {source: s, tag: X, dataset: c4, models: [a], rows: {rtn: [1.5]}}\n"),
      "expected R, P, 2 or ?");
  REQUIRE_CONFIG_ERROR(
      read("tables:\n  - {source: s, tag: R, dataset: c4, models: [a], rows: {rtn: [1, 2]}}\n"),
      "2 values given, 1 expected");
  REQUIRE_CONFIG_ERROR(
      read("tables:\n  - {source: s, tag: R, dataset: c4, models: [a], rows: {rtn: [x]}}\n"),
      "a number or null");
  REQUIRE_CONFIG_ERROR(read("tables:\n  - {source: s, tag: R, models: [a], rows: {rtn: [1]}}\n"),
                       "models and one dataset");
}

TEST_CASE("published: names of models") {
  for (const char* name : {"Llama-2-7b-hf", "LLaMA-2-7B", "Meta-Llama-2-7B", "llama_2_7b_hf"})
    CHECK(canonical_model(name) == "llama-2-7b");
  CHECK(canonical_model("Llama-2-7b-chat-hf") == "llama-2-7b-chat");
}
