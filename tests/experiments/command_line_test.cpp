#include <sys/stat.h>

#include "tests/support/model_folder.h"
#include "tests/support/program.h"

using namespace wkvq;
using test::contains;
using test::Outcome;
using test::program;
using test::refuses;

namespace {

/// A sweep of one run that needs nothing but the model and this project's README.
std::string sweep(const std::string& model, const std::string& more = "") {
  return fmt::format(
      "model: {{path: {}}}\n"
      "method: {{name: rtn, weight: {{bits: 4, group_size: 64}}}}\n"
      "evaluate: [{{task: perplexity, dataset: {{name: text, path: {}}}, context: 64, "
      "windows: 1}}]\n{}",
      model, test::source("README.md").string(), more);
}

}  // namespace

TEST_CASE("command line: called alone it prints help, and it has a version") {
  const Outcome alone = program("");
  CHECK(alone.code == 2);
  for (const char* part : {"Subcommands:", "plan", "generate", "--threads", "--version"})
    CHECK(contains(alone.text, part));
  const Outcome version = program("--version");
  CHECK(version.code == 0);
  CHECK(contains(version.text, "wkvq 0.1.0 ("));
}

TEST_CASE("command line: a command, option or name that was nearly right is suggested") {
  refuses("rnu x.yaml", {"'rnu' is not a command; did you mean 'run'?"});
  refuses("--threads 2 hsow", {"'hsow' is not a command; did you mean 'show'?"});
  refuses("--threads 2", {"no command given"});
  refuses("report a --colums x", {"report: unknown option '--colums'; did you mean '--columns'?"});
  refuses("report a --group_by=x", {"unknown option '--group_by'; did you mean '--group-by'?"});
  refuses("show a b", {"show: 'b' was not expected"});
  refuses("run", {"run: FILE is required; `wkvq run --help` explains"});
  refuses("list method", {"'method' is not known; did you mean 'methods'?"});
  refuses("list methods rnt", {"unknown method 'rnt'; did you mean 'rtn'?"});
  refuses("list datasets wikitext", {"did you mean 'wikitext2'?"});
  refuses("list tasks helaswag",
          {"unknown task 'helaswag'; did you mean 'hellaswag'?; `wkvq list tasks` names all"});
  CHECK(program("list tasks helaswag").text.size() < 200);
}

TEST_CASE("command line: threads stand before the command or behind it, one or more") {
  CHECK(program("--threads 2 list families").code == 0);
  CHECK(program("list --threads 2 families").code == 0);
  CHECK(program("list families --threads 2").code == 0);
  CHECK(program("generate --help").code == 0);
  for (const char* count : {"0", "-1", "x", "1.5", "2000", "99999999999999999999"}) {
    refuses(fmt::format("list families --threads {}", count),
            {"--threads", fmt::format("given '{}', expected 1 or more", count)});
    refuses(fmt::format("--threads {} list families", count), {"expected 1 or more"});
  }
}

TEST_CASE("command line: help says in words what a form is") {
  const Outcome help = program("list methods rtn");
  CHECK(help.code == 0);
  for (const char* part :
       {"zero_point: (q - z) * scale", "minimum: q * scale + the group's", "symmetric: q * scale"})
    CHECK(contains(help.text, part));
  CHECK(!contains(help.text, "form: A, B"));
}

TEST_CASE("command line: control characters of files and names reach no terminal") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "a\x1b[31m.yaml", "method: {na\xc2\x9bme: x}\n");
  refuses(fmt::format("plan '{}'", (folder / "a\x1b[31m.yaml").string()),
          {"a\\u001b[31m.yaml:1:1"});
  test::write_file(folder / "config.json", R"({"model_type": "\u001b[2J\u0007\nllama"})");
  refuses("inspect " + folder.path().string(), {"field 'model_type' is \"\\u001b[2J"});
  const std::string long_key(100'000, 'k');
  test::write_file(folder / "config.json",
                   "{\"" + long_key + "\": 1, \"" + long_key + "\": \"\x1b\"}");
  const Outcome cut = program("inspect " + folder.path().string());
  CHECK(cut.code == 2);
  CHECK(cut.text.size() < 1000);
  // In what is printed, too: a report of a file whose name steers.
  test::write_file(folder / "b\x1b[2J.h5", "no run file");
  for (const char* format : {"table", "markdown", "csv", "json"}) {
    const Outcome report =
        program(fmt::format("report --format {} {}", format, folder.path().string()));
    INFO(report.text);
    CHECK(report.text.find('\x1b') == std::string::npos);
    CHECK(contains(report.text, "unreadable"));
  }
}

TEST_CASE("command line: pipes and devices in the place of files are refused at once") {
  const test::TemporaryFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const char* command : {"plan", "run", "sensitivity", "show"})
    refuses(fmt::format("{} {}", command, pipe), {"pipe: a pipe, expected a regular file"});
  // A report names what it cannot read beside what it can.
  CHECK(contains(program("report " + pipe).text, "a pipe, expected a regular file"));
  refuses("compare " + pipe + " " + pipe, {"a pipe, expected a regular file"});
  refuses("generate --model " + test::source("datasets/mini").string() + " --prompt-file " + pipe,
          {"a pipe, expected a regular file"});
  refuses("generate --packed " + pipe + " --prompt a", {"a pipe, expected a regular file"});
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const test::TemporaryFolder model;
    std::filesystem::copy(test::source("datasets/mini"), model / "mini");
    std::filesystem::remove(model / "mini" / name);
    REQUIRE(mkfifo((model / "mini" / name).c_str(), 0600) == 0);
    test::write_file(folder / "s.yaml", sweep((model / "mini").string()));
    refuses(fmt::format("plan {} --results {}", (folder / "s.yaml").string(),
                        (folder / "results").string()),
            {name, "a pipe, expected a regular file"});
  }
}

TEST_CASE("command line: sizes without measure are refused before memory is asked for") {
  const test::TemporaryFolder folder;
  const std::string mini = test::source("datasets/mini").string();
  const std::string file = (folder / "s.yaml").string();
  test::write_file(file,
                   sweep(mini, "calibration: {dataset: {name: self}, samples: 4, length: 64}\n"));
  const std::string huge = "1000000000000", larger = "4611686018427387904";
  for (const auto& [set, part] : std::vector<std::pair<std::string, std::string>>{
           {"calibration.samples=" + huge, "calibration.samples"},
           {"calibration.samples=1e12", "calibration.samples: expected a whole number"},
           {"calibration.length=" + larger, "calibration.length"},
           {"calibration.dataset.samples=" + huge, "calibration.dataset.samples"},
           {"calibration.dataset.length=" + larger, "calibration.dataset.length"},
           {"evaluate.0.context=" + larger, "evaluate.0.context"},
           {"method.kv.view.window=" + larger, "method.kv.view.window"},
           {"method.weight.bits=" + huge, "method.weight.bits"}}) {
    refuses(fmt::format("plan {} --results {} --set {}", file, (folder / "r").string(), set),
            {part});
  }
  refuses("generate --model " + mini + " --prompt a --max-tokens 9223372036854775807",
          {"--max-tokens 9223372036854775807; expected 1 to"});
  for (const auto& [field, value] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"hidden_size", int64_t{1} << 40},
           {"intermediate_size", int64_t{1} << 40},
           {"num_hidden_layers", 1'000'000'000},
           {"num_attention_heads", int64_t{1} << 40},
           {"head_dim", int64_t{1} << 40},
           {"vocab_size", int64_t{1} << 40},
           {"max_position_embeddings", int64_t{1} << 62}}) {
    test::ModelFolder model("llama_mha");
    model.set(field, value);
    refuses("inspect " + model.path().string(), {field, "expected"});
  }
}

TEST_CASE("command line: dtype auto is resolved before the run's id, and aliases are suggested") {
  const test::TemporaryFolder folder;
  const std::string file = (folder / "s.yaml").string();
  test::write_file(file, sweep(test::source("datasets/mini").string()));
  const auto plan = [&](const std::string& dtype) {
    const Outcome outcome = program(fmt::format("plan {} --results {} --set model.dtype={}", file,
                                                (folder / "r").string(), dtype));
    INFO(outcome.text);
    CHECK(outcome.code == 0);
    return outcome.text;
  };
  CHECK(plan("auto") == plan("float32"));
  CHECK(plan("auto") != plan("bfloat16"));
  const auto refused = [&](const std::string& dtype, const std::string& meant) {
    refuses(fmt::format("plan {} --set model.dtype={}", file, dtype),
            {"'" + dtype + "' is not a choice; did you mean '" + meant + "'?"});
  };
  refused("bf16", "bfloat16");
  refused("fp16", "float16");
  refused("float", "float32");
}
