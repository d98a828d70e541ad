#include "datasets/tasks/choice/declaration.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

/// A declaration that is right; `from` is replaced by `to`.
std::string declared(const std::string& from = "", const std::string& to = "") {
  std::string text =
      "name: capitals\n"
      "version: \"1.0\"\n"
      "context: \"The capital of {country} is\"\n"
      "choices: \"{towns}\"\n"
      "label: \"{right}\"\n"
      "metrics: [acc, acc_norm]\n";
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("declarations: a file of one's own is a task, its data beside it") {
  const test::TemporaryFolder folder;
  const std::string path = (folder / "capitals.yaml").string();
  test::write_file(path, declared());
  test::write_file(folder / "capitals.jsonl",
                   "{\"country\": \"Peru\", \"towns\": [\"Lima\", \"Cusco\"], \"right\": 0}\n");
  const test::ByteTokenizer tokenizer(false);
  const DatasetContext text = test::context_of(&tokenizer);
  TaskInputs inputs{.text = &text, .max_context = 100};
  const auto task = test::task(path, {{"limit", "1"}});
  CHECK(task->label() == "capitals-first1");
  const auto requests = task->prepare(inputs);
  REQUIRE(requests.size() == 2);
  CHECK(tokenizer.decode(requests[1].tokens) == "The capital of Peru is Cusco");
  SECTION("in the data folder where there is none beside it") {
    std::filesystem::create_directory(folder / "data");
    inputs.data_folder = folder / "data";
    CHECK(test::task(path, {})->prepare(inputs).size() == 2);
    std::filesystem::rename(folder / "capitals.jsonl", folder / "data/capitals.jsonl");
    CHECK(test::task(path, {})->prepare(inputs).size() == 2);
    std::filesystem::remove(folder / "data/capitals.jsonl");
    REQUIRE_CONFIG_ERROR(test::task(path, {})->prepare(inputs),
                         "data/capitals.jsonl, nor is it in " + folder.path().string());
  }
  REQUIRE_CONFIG_ERROR(make_task((folder / "none.yaml").string()), "none.yaml: no such file");
}

TEST_CASE("declarations: errors name file, line and column") {
  struct Bad {
    const char *from, *to, *part;
  };
  const std::vector<Bad> cases{
      {"context:", "contxt:", "t.yaml:1:1: expected context, choices and label"},
      {"metrics:", "metrik:", "key 'metrics' is missing"},
      {"name: capitals\n", "name: capitals\nnmae: x\n", "t.yaml:2:1: unknown key 'nmae'"},
      {"version: \"1.0\"\n", "", "version: missing"},
      {"name: capitals", "name: a/b", "t.yaml:1:7: name: expected a name"},
      {"name: capitals", "name: ..", "t.yaml:1:7: name: expected a name"},
      {"metrics:", "file: /etc/passwd\nmetrics:",
       "t.yaml:6:7: file: '/etc/passwd', expected a path below the data folder"},
      {"metrics:", "file: a/../../b.jsonl\nmetrics:", "expected a path below the data folder"},
      {"metrics:", "file: ..\nmetrics:", "expected a path below the data folder"},
      {"{country}", "{country", "t.yaml:3:10: character 16: '{' without its partner"},
      {"{country}", "{country|upper}", "t.yaml:3:10: character 16: unknown filter 'upper'"},
      {"\"{towns}\"", "[]", "t.yaml:4:10: an empty list"},
      {"\"{towns}\"", "x{towns}", "t.yaml:4:10: expected a list of texts, or one field"},
      {"\"{towns}\"", "{a: b}", "t.yaml:4:10: a map, expected a text"},
      {"acc_norm", "acc_nrom", "t.yaml:6:16: metrics: 'acc_nrom' is not known here; did you mean"},
      {"acc_norm", "perplexity", "metrics: 'perplexity' is not known here"},
      {"acc_norm", "acc", "'acc' is given twice"},
      {"[acc, acc_norm]", "acc", "t.yaml:6:10: metrics: 'acc', expected a list"},
      {"[acc, acc_norm]", "[]", "expected a list"},
      {"label:", "contexts: [a]\nlabel:", "no other of these keys"},
      {"label: \"{right}\"\n", "", "expected context, choices and label"},
      {"metrics:", "clean: wash\nmetrics:", "t.yaml:6:8: clean: unknown filter 'wash'"},
      {"metrics:", "parts: [a]\nmetrics:", "parts: expected a map of groups"},
      {"metrics:", "parts: {a: [b, b]}\nmetrics:", "parts: 'b' is given twice"},
      {"metrics:", "parts: {a: [../b]}\nmetrics:", "expected a name without '/'"},
      {"metrics:", "fewshot: {order: last}\nmetrics:", "fewshot.order"},
      {"metrics:", "source: {set: x}\nmetrics:", "unknown key 'set'"},
  };
  CHECK(read_declaration(parse_yaml(declared(), "t.yaml")).file == "capitals.jsonl");
  for (const Bad& bad : cases) {
    const std::string message =
        test::error_of([&] { read_declaration(parse_yaml(declared(bad.from, bad.to), "t.yaml")); });
    INFO(bad.to << ": " << message);
    CHECK(message.find(bad.part) != std::string::npos);
  }
}

TEST_CASE("declarations: a link beside one leads out of its folder only where --data allows it") {
  const test::TemporaryFolder folder, other;
  const std::string path = (folder / "capitals.yaml").string();
  test::write_file(path, declared());
  test::write_file(other / "secret.jsonl",
                   "{\"country\": \"Peru\", \"towns\": [\"Lima\", \"Cusco\"], \"right\": 0}\n");
  std::filesystem::create_symlink(other / "secret.jsonl", folder / "capitals.jsonl");
  const test::ByteTokenizer tokenizer(false);
  const DatasetContext text = test::context_of(&tokenizer);
  TaskInputs inputs{.text = &text, .max_context = 100};
  REQUIRE_CONFIG_ERROR(test::task(path, {})->prepare(inputs),
                       "secret.jsonl, outside its folder; --data names the folder of its data");
  inputs.data_folder = other.path();
  CHECK(test::task(path, {})->prepare(inputs).size() == 2);
  // Within its folder it may lead where it likes.
  inputs.data_folder.clear();
  std::filesystem::remove(folder / "capitals.jsonl");
  std::filesystem::create_directory(folder / "deep");
  std::filesystem::copy(other / "secret.jsonl", folder / "deep/a.jsonl");
  std::filesystem::create_symlink("deep/a.jsonl", folder / "capitals.jsonl");
  CHECK(test::task(path, {})->prepare(inputs).size() == 2);
}

/// What scripts/fetch_data.py prints; `code` is its exit status.
std::string fetch_data(const std::string& arguments, int code,
                       const std::string& environment = "") {
  const std::string command = environment + " python3 " +
                              test::source("scripts/fetch_data.py").string() + " " + arguments +
                              " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string printed;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    printed.append(buffer.data(), n);
  INFO(printed);
  CHECK(WEXITSTATUS(pclose(pipe)) == code);
  return printed;
}

TEST_CASE("declarations: the published sets that fetch_data.py exports are theirs") {
  std::string expected;
  for (const TaskDeclaration& task : known_declarations()) {
    CHECK(task.source.dataset.find('/') != std::string::npos);
    const auto add = [&](const std::string& stem, const std::string& config) {
      const auto line = [&](const std::string& split, const char* ending) {
        expected += fmt::format("{}: {}{}, split {} -> d/{}{}\n", task.name, task.source.dataset,
                                config.empty() ? "" : " " + config, split, stem, ending);
      };
      line(task.source.split, ".jsonl");
      if (!task.fewshot.split.empty()) line(task.fewshot.split, ".dev.jsonl");
    };
    if (task.groups.empty()) add(task.name, task.source.config);
    for (const auto& [group, parts] : task.groups)
      for (const std::string& part : parts) add(task.name + "/" + part, part);
  }
  CHECK(fetch_data("--all --fewshot --dry-run --data d", 0) == expected);
}

TEST_CASE("fetch_data.py: what it writes is what a task reads, and is verified") {
  const test::TemporaryFolder folder;
  // In place of the package of that name.
  test::write_file(folder / "datasets.py",
                   "def load_dataset(path, config, split):\n"
                   "    assert (path, config, split) == ('aps/super_glue', 'boolq', 'validation')\n"
                   "    return [{'passage': 'Größe', 'question': 'q\\nr', 'label': i, 'idx': i}\n"
                   "            for i in (0, 1)]\n");
  const std::string data = (folder / "data").string();
  const std::string environment = "PYTHONPATH=" + folder.path().string();
  fetch_data("boolq --data " + data, 0, environment);
  const test::ByteTokenizer tokenizer(false);
  const DatasetContext text = test::context_of(&tokenizer);
  const auto requests =
      test::task("boolq", {})
          ->prepare({.text = &text, .max_context = 100, .data_folder = folder / "data"});
  REQUIRE(requests.size() == 4);
  CHECK(tokenizer.decode(requests[3].tokens) == "Größe\nQuestion: q\nr?\nAnswer: yes");
  CHECK(fetch_data("--verify --data " + data, 0) == "ok      boolq.jsonl\n");
  test::write_file(folder / "data/boolq.jsonl", "{}\n");
  CHECK(fetch_data("--verify --data " + data, 1) == "differs boolq.jsonl\n");
  std::filesystem::remove(folder / "data/boolq.jsonl");
  CHECK(fetch_data("--verify --data " + data, 1) == "missing boolq.jsonl\n");
  CHECK(fetch_data("--verify --data " + (folder / "none").string(), 1).find("no manifest.json") !=
        std::string::npos);
  CHECK(fetch_data("bolq --dry-run", 2).find("task 'bolq' is not known") != std::string::npos);
}

}  // namespace
}  // namespace wkvq
