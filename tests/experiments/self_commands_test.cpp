#include "tests/support/process.h"
#include "tests/support/program.h"

using namespace wkvq;
using test::contains;
using test::Outcome;
using test::program;
using test::refuses;

namespace {

/// What bash offers behind `words`, the last of which is being typed.
std::string completed(const std::string& words) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "complete.sh", program("completion bash").text + "COMP_WORDS=(" +
                                               words +
                                               ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                               "_wkvq\necho \"${COMPREPLY[*]}\"\n");
  test::Process bash(folder.path(), "bash", "bash " + (folder / "complete.sh").string());
  CHECK(bash.wait() == 0);
  CHECK(bash.err().empty());
  return bash.out();
}

}  // namespace

TEST_CASE("completion: bash knows commands, options and choices, and leaves files to the shell") {
  CHECK(completed("wkvq pl") == "plan\n");
  CHECK(completed("wkvq --threads 2 se") == "sensitivity\n");
  CHECK(completed("wkvq --ver") == "--version\n");
  CHECK(completed("wkvq run --onl") == "--only\n");
  CHECK(completed("wkvq report results --format ''") == "table markdown csv json jsonl latex\n");
  CHECK(completed("wkvq list f") == "families formats\n");
  CHECK(completed("wkvq completion ''") == "bash zsh\n");
  CHECK(completed("wkvq run swee") == "\n");
  refuses("completion fish", {"completion: SHELL: fish not in {bash,zsh}"});
}

TEST_CASE("completion: zsh reads its script") {
  const test::TemporaryFolder folder;
  const std::string script = program("completion zsh").text;
  CHECK(script.starts_with("#compdef wkvq\n"));
  CHECK(contains(script, "    'plan:list the runs of a sweep, their ids and what is done'\n"));
  CHECK(contains(script,
                 "'*--format[table, markdown, csv, json, jsonl, latex]:value:(table markdown csv "
                 "json jsonl latex)'"));
  CHECK(contains(script, "'*--only[only runs whose id matches this shell pattern]:value:_files'"));
  CHECK(contains(script, "'*--force[run again what is done]'"));
  test::write_file(folder / "_wkvq", script);
  test::Process zsh(folder.path(), "zsh",
                    "command -v zsh >/dev/null || exit 77; zsh -n " + (folder / "_wkvq").string());
  const int code = zsh.wait();
  if (code == 77) SUCCEED("skipped: no zsh");
  CHECK((code == 0 || code == 77));
  CHECK(zsh.err().empty());
}

TEST_CASE("man: every command and option, in lines that are text or known macros") {
  const std::string page = program("man").text;
  CHECK(page.starts_with(".TH WKVQ 1 \"\" \"wkvq 0.1.0\""));
  std::istringstream help(program("--help").text);
  size_t commands = 0;
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (listed && line.starts_with("  "))
      commands += contains(page, ".SS " + line.substr(2, line.find(' ', 2) - 2) + "\n");
    listed = listed || line == "Subcommands:";
  }
  CHECK(commands >= 15);
  for (const char* part :
       {".B \\-\\-kv\\-modes TEXT\n", ".B \\-\\-threads INT\n", ".SH EXIT STATUS\n",
        ".B \\-\\-format table | markdown | csv | json | latex\n", ".B WKVQ_CPU_CAPABILITY\n",
        ".B WHAT: methods | tasks | datasets | families | formats\n"})
    CHECK(contains(page, part));
  std::istringstream lines(page);
  size_t macros = 0;
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(!line.empty());
    CHECK(line.find('\'') != 0);
    if (!line.starts_with('.')) continue;
    const std::string macro = line.substr(0, line.find(' '));
    CHECK(std::ranges::count(std::vector<std::string>{".TH", ".SH", ".SS", ".TP", ".B", ".I"},
                             macro) == 1);
    ++macros;
  }
  CHECK(macros > 100);
}

TEST_CASE("doctor: a folder that takes results is fine and left as it was") {
  const test::TemporaryFolder folder;
  const Outcome fresh = program("doctor --results " + (folder / "results").string());
  INFO(fresh.text);
  CHECK(fresh.code == 0);
  for (const char* part : {"kernels for", "GB free", "a file was written and read back",
                           "may share the folder", "This machine can run sweeps."})
    CHECK(contains(fresh.text, part));
  CHECK(!contains(fresh.text, "FAIL"));
  CHECK(!std::filesystem::exists(folder / "results"));
  std::filesystem::create_directory(folder / "kept");
  CHECK(program("doctor --results " + (folder / "kept").string()).code == 0);
  CHECK(std::filesystem::is_empty(folder / "kept"));
}

TEST_CASE("doctor: what would fail a run is told, and the exit code says so") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "file", "no folder");
  const Outcome outcome = program("doctor --results " + (folder / "file").string());
  INFO(outcome.text);
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.text, "FAIL  results"));
  CHECK(contains(outcome.text, "cannot be written"));
  CHECK(contains(outcome.text, "Runs would fail here"));
}

TEST_CASE("new: what is written is a sweep that plan takes, whatever the method and the task") {
  const test::TemporaryFolder folder;
  const auto planned = [&](const std::string& name, const std::string& arguments) {
    const std::string file = (folder / (name + ".yaml")).string();
    const Outcome made = program("new '" + file + "' " + arguments);
    INFO(made.text);
    CHECK(made.code == 0);
    const Outcome plan = program("plan '" + file + "' --results " + (folder / "r").string());
    INFO(plan.text);
    CHECK(plan.code == 0);
    std::string sweep = name;
    std::ranges::replace_if(
        sweep, [](char c) { return c == ' ' || c == ':'; }, '_');
    CHECK(contains(plan.text, "6 runs of sweep '" + sweep + "', 0 done"));
    return test::read_text(file);
  };
  for (const char* method : {"rtn", "gptq", "wkvquant", "kivi", "kvquant", "mixed"}) {
    const std::string text = planned(method, std::string("--method ") + method);
    CHECK(contains(text, std::string("\n  name: ") + method + "\n"));
    CHECK(contains(text, "calibration:") ==
          !std::set<std::string>{"rtn", "kivi", "mixed"}.contains(method));
  }
  std::string words;
  for (int i = 0; i < 2000; ++i) words += fmt::format("word {} ", i);
  test::write_file(folder / "some text.txt", words);
  const std::string text = "--text '" + (folder / "some text.txt").string() + "'";
  planned("an odd: name", "");
  planned("own", "--task passkey");
  planned("windows", "--task perplexity " + text);
  planned("documents", "--task rolling_perplexity " + text);
}

TEST_CASE("new: refuses what no sweep could use, and writes nothing") {
  const test::TemporaryFolder folder;
  const std::string file = folder / "s.yaml";
  refuses("new " + file + " --method gtpq", {"unknown method 'gtpq'; did you mean 'gptq'?"});
  refuses("new " + file + " --task perplexty", {"unknown task 'perplexty'"});
  refuses("new " + file + " --model nowhere", {"nowhere"});
  refuses("new " + file + " --task rolling_perplexity", {"expected --text FILE"});
  refuses("new " + file + " --text gone.txt", {"new: --text 'gone.txt': no such file"});
  refuses("new " + file + " --task passkey --text " + test::source("README.md").string(),
          {"task passkey brings its own data"});
  CHECK(!std::filesystem::exists(file));
  test::write_file(file, "mine\n");
  refuses("new " + file, {"exists; expected a new file"});
  CHECK(test::read_text(file) == "mine\n");
}
