#include "experiments/commands/generate_command.h"

#include <sstream>

#include "core/base/hdf5/hdf5.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

struct Outcome {
  std::string text, report;
};

Outcome generate(GenerateOptions options) {
  std::ostringstream out, report;
  if (options.model.empty() && options.config.empty())
    options.model = test::source("datasets/mini").string();
  if (!options.prompt && options.prompt_file.empty()) options.prompt = "Once upon a time";
  REQUIRE(generate_command(options, out, report) == 0);
  return {out.str(), report.str()};
}

/// A sweep file of one run in `folder`.
std::filesystem::path configuration(const test::TemporaryFolder& folder, const std::string& method,
                                    const std::string& rest = "") {
  test::write_file(folder / "one.yaml",
                   fmt::format("name: one\nmodel: {{path: {}}}\nmethod: {}\n{}",
                               test::source("datasets/mini").string(), method, rest));
  return folder / "one.yaml";
}

/// The one run file in `folder`, after running its sweep.
std::filesystem::path run(const test::TemporaryFolder& folder, const std::filesystem::path& file) {
  std::ostringstream out;
  INFO(out.str());
  REQUIRE(run_command({.file = file, .results = folder / "results"}, out) == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/one"))
    if (entry.path().extension() == ".h5") return entry.path();
  throw std::runtime_error("no run file");
}

}  // namespace

TEST_CASE("generate: text goes on, a seed decides it, stop strings end it") {
  const std::string greedy = generate({.max_tokens = 30}).text;
  CHECK(greedy.starts_with(", there was"));
  CHECK(greedy == generate({.max_tokens = 30}).text);
  const auto drawn = [](int64_t seed) {
    return generate({.max_tokens = 30, .sampling = {.temperature = 1, .seed = seed}}).text;
  };
  CHECK(drawn(1) == drawn(1));
  CHECK(drawn(1) != drawn(2));
  const std::string stopped = generate({.max_tokens = 30, .stop = {"never", " was"}}).text;
  CHECK(stopped == ", there\n");
  const test::TemporaryFolder folder;
  test::write_file(folder / "prompt.txt", "Once upon a time");
  CHECK(generate({.prompt_file = folder / "prompt.txt", .max_tokens = 30}).text == greedy);
}

TEST_CASE("generate: the size of the cache, by hand") {
  const test::TemporaryFolder folder;
  const auto config = configuration(
      folder, "{name: rtn, kv: {bits: 4, group_size: 64, view: {mode: past, window: 2}}}");
  const Outcome outcome = generate({.config = config, .max_tokens = 9});
  // 4 tokens of the prompt and 8 of those written; each has keys and values of 2 heads of 64 in 6
  // blocks. The 2 newest are exact; of the others a value takes 4 bits and, a group of 64, a scale
  // and a zero point.
  INFO(outcome.report);
  CHECK(outcome.report.find("prompt: 4 tokens") != std::string::npos);
  CHECK(outcome.report.find("written: 9 tokens") != std::string::npos);
  const double full = 12 * 2 * 128 * 6 * 4;
  CHECK(outcome.report.find(fmt::format("{:.0f} in full precision", full)) != std::string::npos);
  CHECK(outcome.report.find("12 tokens, KV mode past-w2-context-cache") != std::string::npos);
  double stored = 0;
  REQUIRE(sscanf(outcome.report.substr(outcome.report.find("cache: ")).c_str(), "cache: %lf",
                 &stored) == 1);
  const double codes = 10.0 / 12 * full * 4 / 32, exact = 2.0 / 12 * full;
  // Groups of 64: at least one more number of 16 bits, at most two of 32.
  CHECK(stored > exact + codes * (1 + 16.0 / 64 / 4));
  CHECK(stored <= exact + codes * (1 + 64.0 / 64 / 4));
}

TEST_CASE("generate: a run file gives the method and what it trained") {
  const test::TemporaryFolder folder;
  const auto file = configuration(
      folder,
      "{name: wkvquant, weight: {bits: 3, group_size: 64}, kv: {bits: 2}, training: {epochs: 1}}",
      "calibration: {dataset: {name: self}, samples: 2, length: 32}\n"
      "evaluate:\n  - {task: passkey, length: 120, items: 2, depths: [50], max_tokens: 6}\n");
  const auto path = run(folder, file);
  const auto write = [&](const std::filesystem::path& config) {
    return generate({.config = config, .max_tokens = 20, .results = folder / "results"}).text;
  };
  // Trained again from the same seed, or read from the file: the same parameters.
  const std::string text = write(path);
  CHECK(text == write(file));
  CHECK(text != generate({.max_tokens = 20}).text);
  const hdf5::Reader reader(path);
  const std::string group = "/evaluation/acc.passkey.past-context-cache";
  const auto length = std::get<std::vector<int64_t>>(reader.column(group, "length"));
  CHECK(length.size() == 2);
  CHECK(length[0] <= 120);
  CHECK(std::get<std::string>(*reader.attribute(group, "kv_mode")) == "past-context-cache");

  std::ostringstream out, report;
  GenerateOptions other{.model = test::source("tests/golden/models/llama_mha").string(),
                        .config = path,
                        .prompt = "a"};
  CHECK_THROWS_AS(generate_command(other, out, report), ConfigError);
}

TEST_CASE("generate: tasks write what the command writes") {
  const test::TemporaryFolder folder;
  const auto file =
      configuration(folder, "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 3}}",
                    "evaluate:\n  - {task: longbench_lcc, limit: 2}\n");
  std::filesystem::create_directories(folder / "data/longbench");
  const std::string opening = "Please complete the code given below. \n",
                    closing = "Next line of code:\n";
  test::write_file(folder / "data/longbench/lcc.jsonl",
                   "{\"context\": \"Tom had a dog. \", \"input\": \"\", \"answers\": [\"x\"]}\n"
                   "{\"context\": \"Once \", \"input\": \"\", \"answers\": [\"x\"]}\n");
  std::ostringstream out;
  REQUIRE(run_command({.file = file, .results = folder / "results", .data = folder / "data"},
                      out) == 0);
  std::filesystem::path path;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/one"))
    if (entry.path().extension() == ".h5") path = entry.path();
  const auto answers = std::get<std::vector<std::string>>(hdf5::Reader(path).column(
      "/evaluation/code_similarity.longbench_lcc.past-context-cache", "answer"));
  REQUIRE(answers.size() == 2);
  const auto alone = [&](const std::string& context) {
    return generate({.config = file, .prompt = opening + context + closing, .max_tokens = 64}).text;
  };
  CHECK(alone("Tom had a dog. ") == answers[0] + "\n");
  CHECK(alone("Once ") == answers[1] + "\n");
}

TEST_CASE("generate: options that cannot be used") {
  const test::TemporaryFolder folder;
  const std::string mini = test::source("datasets/mini").string();
  const auto error = [&](GenerateOptions options) {
    std::ostringstream out, report;
    const std::string message = test::error_of([&] { generate_command(options, out, report); });
    CHECK(out.str().empty());
    return message;
  };
  const auto says = [&](const GenerateOptions& options, const std::string& part) {
    const std::string message = error(options);
    INFO(message);
    CHECK(message.find(part) != std::string::npos);
  };
  says({.prompt = "a"}, "no model");
  says({.model = mini}, "one of --prompt and --prompt-file");
  says({.model = mini, .prompt = "a", .prompt_file = "b"}, "one of --prompt and --prompt-file");
  says({.model = mini, .prompt = "a", .max_tokens = 0}, "--max-tokens 0");
  says({.model = mini, .prompt = "a", .max_tokens = 512}, "the model reads at most 512");
  says({.model = mini, .prompt = "a", .sampling = {.temperature = -1}}, "--temperature -1");
  says({.model = mini, .prompt = "a", .sampling = {.top_k = -1}}, "--top-k -1");
  says({.model = mini, .prompt = "a", .sampling = {.top_p = 1.5}}, "--top-p 1.5");
  says({.model = (folder / "no").string(), .prompt = "a"}, "no such folder");
  says({.model = test::source("tests/golden/models/llama_mha").string(), .prompt = "a"},
       "tokenizer");
  says({.config = folder / "no.h5", .prompt = "a"}, "no.h5");
  test::write_file(folder / "bad.h5", "no HDF5");
  says({.config = folder / "bad.h5", .prompt = "a"}, "bad.h5");
  const auto two = configuration(folder, "{name: rtn}", "sweep: {method.kv.bits: [4, 3]}\n");
  says({.config = two, .prompt = "a"}, "2 runs; expected one");
  const auto typo = configuration(folder, "{name: rtn, kv: {bitz: 4}}");
  says({.config = typo, .prompt = "a"}, "unknown key 'bitz'");
}
