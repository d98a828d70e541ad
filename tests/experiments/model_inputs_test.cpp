#include <cmath>
#include <sstream>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/json/json.h"
#include "core/base/run/run_summary.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/generate_command.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

/// The one run file of `sweep` below `results`.
RunSummary only_run(const std::filesystem::path& results) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(results))
    if (entry.path().extension() == ".h5") return read_run(entry.path());
  throw std::runtime_error("no run file");
}

/// Mean NLL of the one evaluation of a run in full precision over `data`.
double mean_nll(const std::string& model, const std::string& data,
                const std::string& dtype = "float32", const std::string& more = "") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "s.yaml",
                   fmt::format("name: c\nmodel: {{path: {}, dtype: {}}}\nmethod: {{name: rtn}}\n"
                               "evaluate:\n  - {{task: perplexity, dataset: {}{}}}\n",
                               model, dtype, data, more));
  std::ostringstream out;
  INFO(out.str());
  const int code = run_command({.file = folder / "s.yaml", .results = folder / "r"}, out);
  REQUIRE(code == 0);
  for (const Evaluation& evaluation : only_run(folder / "r").evaluations)
    if (evaluation.metric == "perplexity") return std::log(evaluation.value);
  throw std::runtime_error("no perplexity");
}

double nll_of_case(const std::filesystem::path& folder) {
  return mean_nll((folder / "model").string(),
                  fmt::format("{{name: tokens, path: {}}}", (folder / "ids.npy").string()));
}

/// Two windows of 24 ids below the vocabulary of 64 that the committed tiny models have.
std::string tokens_of(const test::TemporaryFolder& folder, int length = 24) {
  std::vector<std::vector<int32_t>> windows(2);
  for (int i = 0; i < 2 * length; ++i)
    windows[static_cast<size_t>(i / length)].push_back((7 * i + 3) % 64);
  test::write_npy(folder / "ids.npy", windows);
  return fmt::format("{{name: tokens, path: {}}}", (folder / "ids.npy").string());
}

std::string golden(const std::string& name) {
  return test::source("tests/golden/models/" + name).string();
}

// The cases give five decimals of transformers in float32; float32 itself moves the sixth.
constexpr double kFiveDecimals = 2e-5;

}  // namespace

TEST_CASE("model inputs: cases that load, with the mean NLL of transformers") {
  const auto cases = test::shared("cases");
  if (cases.empty()) return;
  const std::vector<std::pair<const char*, double>> right = {
      {"tied_but_other_head", 13.91362},
      {"rope_parameters_without_type", 13.91362},
      {"index_names_tied_head", 14.70430},
      {"shard_has_inv_freq_not_in_index", 13.91362},
      {"dynamic_ntk_unreachable", 14.98069}};
  for (const auto& [name, nll] : right) {
    INFO(name);
    CHECK(std::abs(nll_of_case(cases / name) - nll) < kFiveDecimals);
  }
}

TEST_CASE("model inputs: Qwen2's vocab.json and merges.txt give transformers' perplexity") {
  const auto folder = test::shared("cases/qwen2_vocab_merges_only");
  if (folder.empty()) return;
  const double nll = mean_nll(
      (folder / "model").string(),
      fmt::format("{{name: jsonl, path: {}, bos: none, eos: true}}", (folder / "t.jsonl").string()),
      "float64", ", context: 40");
  const nlohmann::json right = read_json_file(folder / "right.json");
  // transformers computed its logits in float32, whose rounding is 6e-8 of their size.
  CHECK(std::abs(nll - right["mean_nll"].get<double>()) < 1e-6);
}

TEST_CASE("model inputs: line ends CR LF give the numbers of LF") {
  const auto folder = test::shared("cases/wikitext_crlf");
  if (folder.empty()) return;
  const std::string mini = test::source("datasets/mini").string();
  const auto nll = [&](const char* file) {
    return mean_nll(mini, fmt::format("{{name: wikitext2, path: {}}}", (folder / file).string()),
                    "float32", ", context: 64");
  };
  CHECK(nll("crlf.raw") == nll("lf.raw"));
}

TEST_CASE("model inputs: another head than the embedding counts although config.json says tied") {
  test::ModelFolder folder("llama_mha");
  const test::TemporaryFolder data;
  const std::string tokens = tokens_of(data, 16);
  const double untied = mean_nll(golden("llama_mha"), tokens);
  folder.set("tie_word_embeddings", true);
  CHECK(mean_nll(folder.path().string(), tokens) == untied);
}

TEST_CASE("model inputs: an index with more or less than the shards changes no number") {
  const test::ModelFolder folder("llama_sharded_bf16");
  const test::TemporaryFolder data;
  const std::string tokens = tokens_of(data, 16);
  const auto path = folder / "model.safetensors.index.json";
  nlohmann::json index = read_json_file(path);
  index["weight_map"]["model.layers.0.self_attn.rotary_emb.inv_freq"] =
      index["weight_map"]["model.norm.weight"];
  index["weight_map"].erase("model.norm.weight");
  test::write_file(path, index.dump());
  CHECK(mean_nll(folder.path().string(), tokens) == mean_nll(golden("llama_sharded_bf16"), tokens));
}

TEST_CASE("model inputs: rope_parameters without a type are plain RoPE") {
  test::ModelFolder folder("llama_mha");
  const test::TemporaryFolder data;
  const std::string tokens = tokens_of(data, 16);
  folder.set("rope_parameters", {{"rope_theta", 5e6}});
  test::ModelFolder plain("llama_mha");
  plain.set("rope_theta", 5e6);
  CHECK(mean_nll(folder.path().string(), tokens) == mean_nll(plain.path().string(), tokens));
  CHECK(mean_nll(folder.path().string(), tokens) != mean_nll(golden("llama_mha"), tokens));
}

TEST_CASE(
    "model inputs: dynamic NTK beyond its length is plain RoPE with the theta of that length") {
  const test::TemporaryFolder data;
  const std::string tokens = tokens_of(data);
  // head_dim 8, factor 2, 24 tokens where 16 are original: theta (2 * 24 / 16 - 1)^(8 / 6).
  test::ModelFolder plain("llama_dynamic");
  plain.set("rope_scaling", nullptr);
  plain.set("rope_theta", 10000.0 * std::pow(2.0, 8.0 / 6.0));
  plain.set("max_position_embeddings", 24);
  const double reached = mean_nll(golden("llama_dynamic"), tokens);
  // The two thetas may differ in the last bit of a double.
  CHECK(std::abs(reached - mean_nll(plain.path().string(), tokens)) < 1e-6);
  plain.set("rope_theta", 10000.0);
  CHECK(std::abs(reached - mean_nll(plain.path().string(), tokens)) > 1e-5);
  // Other scalings end where the model does.
  test::ModelFolder linear("llama_linear");
  linear.set("max_position_embeddings", 16);
  REQUIRE_CONFIG_ERROR(mean_nll(linear.path().string(), tokens), "reads at most 16");
}

TEST_CASE("model inputs: every end token of config.json and generation_config.json ends a text") {
  const test::TemporaryFolder folder;
  std::filesystem::copy(test::source("datasets/mini"), folder / "model");
  const auto text = [&] {
    std::ostringstream out, report;
    REQUIRE(
        generate_command(
            {.model = (folder / "model").string(), .prompt = "Once upon a time", .max_tokens = 24},
            out, report) == 0);
    return out.str();
  };
  const auto replace = [&](const char* name, const std::string& content) {
    std::filesystem::remove(folder / "model" / name);
    test::write_file(folder / "model" / name, content);
  };
  const std::string all = text();
  const std::string until_girl = all.substr(0, all.find(" girl")) + "\n";  // token 745 is the 6th
  REQUIRE(all.find(" girl") != std::string::npos);
  replace("generation_config.json", R"({"eos_token_id": [1, 745]})");
  CHECK(text() == until_girl);
  replace("generation_config.json", R"({"eos_token_id": 1})");
  CHECK(text() == all);
  nlohmann::json config = read_json_file(test::source("datasets/mini/config.json"));
  config["eos_token_id"] = {1, 745};
  replace("config.json", config.dump());
  CHECK(text() == until_girl);
  if (const auto given = test::shared("cases/eos_list_second/model"); !given.empty()) {
    for (const char* name : {"config.json", "generation_config.json"})
      replace(name, read_text_file(given / name));
    CHECK(text() == until_girl);
  }
}

TEST_CASE("run ids: neither the spelling of a path nor a copy of the content matters") {
  const test::TemporaryFolder folder;
  std::filesystem::copy(test::source("datasets/mini"), folder / "copy");
  const std::string mini = test::source("datasets/mini").string();
  test::write_file(folder / "t.txt",
                   "Once upon a time there was a cat. It sat on a mat all day.\n");
  std::filesystem::create_directory(folder / "else");
  std::filesystem::copy(folder / "t.txt", folder / "else/t.txt");
  std::filesystem::copy(folder / "t.txt", folder / "other.txt");
  const auto id = [&](const std::string& model, const std::string& text,
                      const std::string& bits = "4") {
    test::write_file(
        folder / "s.yaml",
        fmt::format("name: c\nmodel: {{path: {}}}\nmethod: {{name: rtn, weight: {{bits: "
                    "{}}}}}\nevaluate:\n  - {{task: perplexity, dataset: {{name: text, "
                    "path: {}}}, context: 8}}\n",
                    model, bits, (folder / text).string()));
    std::ostringstream out;
    REQUIRE(plan_command({.file = folder / "s.yaml", .results = folder / "r"}, out) == 0);
    const std::string line = out.str().substr(0, out.str().find('\n'));
    return line.substr(line.rfind(' ') + 1);
  };
  const std::string plain = id(mini, "t.txt");
  CHECK(id(mini + "/", "t.txt") == plain);
  CHECK(id(mini + "/../mini", "t.txt") == plain);
  CHECK(id("mini", "t.txt") == plain);
  CHECK(id((folder / "copy").string(), "t.txt") == plain);
  CHECK(id("mini", "else/../t.txt") == plain);
  CHECK(id("mini", "else/t.txt") == plain);
  CHECK(id("mini", "other.txt") != plain);  // its stem is part of the metrics' names
  CHECK(id("mini", "t.txt", "3") != plain);
  test::write_file(folder / "else/t.txt", "Once upon a time there was a dog. It sat on a mat.\n");
  CHECK(id("mini", "else/t.txt") != plain);
}
