#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "core/base/run/run_summary.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

std::string sweep_text(const std::string& more = "sweep: {method.kv.bits: [16, 3]}\n",
                       const std::string& method = "{name: rtn, kv: {view: {mode: past}}}") {
  return fmt::format(
      "name: small\nmodel: {{path: {}}}\nmethod: {}\n"
      "evaluate:\n"
      "  - {{task: perplexity, dataset: {{name: self, samples: 2, length: 48}}, kl: true}}\n"
      "  - {{task: cloze, dataset: {{name: self, samples: 2, length: 48}}, items: 5, context: 8, "
      "continuation: 4}}\n{}",
      test::source("datasets/mini").string(), method, more);
}

struct Result {
  int code;
  std::string out;
};

Result run(const SweepOptions& options) {
  std::ostringstream out;
  const int code = run_command(options, out);
  return {code, out.str()};
}

SweepOptions options_of(const test::TemporaryFolder& folder, const std::string& text) {
  test::write_file(folder / "small.yaml", text);
  return {.file = folder / "small.yaml", .results = folder / "results"};
}

std::vector<std::filesystem::path> files(const test::TemporaryFolder& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/small"))
    found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<float> column(const std::filesystem::path& path, const std::string& group,
                          const std::string& name) {
  return std::get<std::vector<float>>(hdf5::Reader(path).column(group, name));
}

}  // namespace

TEST_CASE("sweep: the same command twice gives bit-identical raw rows, done runs are skipped") {
  const test::TemporaryFolder first, second;
  REQUIRE(run(options_of(first, sweep_text())).code == 0);
  REQUIRE(run(options_of(second, sweep_text())).code == 0);
  const auto a = files(first), b = files(second);
  REQUIRE(a.size() == 2);
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].filename() == b[i].filename());
    for (const auto& [group, name] : std::vector<std::pair<std::string, std::string>>{
             {"/evaluation/perplexity.self.past", "nll"}, {"/evaluation/kl.self.past", "kl"}}) {
      const auto x = column(a[i], group, name), y = column(b[i], group, name);
      REQUIRE(x.size() == 2 * 47);
      REQUIRE(x == y);
    }
  }
  const Result again = run(options_of(first, sweep_text()));
  REQUIRE(again.out.find("0 done now, 2 done before") != std::string::npos);
  // A changed configuration is another run.
  const Result wider = run(options_of(first, sweep_text("sweep: {method.kv.bits: [16, 3, 2]}\n")));
  REQUIRE(wider.out.find("1 done now, 2 done before") != std::string::npos);
}

TEST_CASE("sweep: 16 bits everywhere has no divergence from full precision") {
  const test::TemporaryFolder folder;
  REQUIRE(run(options_of(folder, sweep_text("sweep: {method.kv.bits: [16, 3]}\n"))).code == 0);
  for (const auto& path : files(folder)) {
    const RunSummary summary = read_run(path);
    const bool exact = path.string().find("bits-16") != std::string::npos;
    for (const Evaluation& e : summary.evaluations) {
      if (e.metric == "kl") CHECK((e.value == 0) == exact);
      if (e.metric == "top1_agreement" && exact) CHECK(e.value == 1);
    }
    for (const auto& [name, value] : summary.cost)
      if (name == "stored_bits_per_key")
        CHECK(std::get<double>(value) == (exact ? 32 : 4));  // 3 + 2 x 32 / 64
  }
}

TEST_CASE("sweep: a killed sweep leaves no half file and resumes at the run it was in") {
  const test::TemporaryFolder folder;
  const SweepOptions options =
      options_of(folder, sweep_text("sweep: {method.kv.bits: [16, 3, 2]}\n"));
  // The first run completes, then the process dies as soon as it has claimed the second one.
  SweepOptions first = options;
  first.only = "*kv.bits-16*";
  REQUIRE(run(first).code == 0);
  const std::string command =
      fmt::format("{} run {} --results {} >/dev/null 2>&1", test::wkvq_binary(),
                  options.file.string(), options.results.string());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    _exit(127);
  }
  const auto has_claim = [&] {
    for (const auto& path : files(folder))
      if (path.extension() == ".claim") return true;
    return false;
  };
  bool killed = false;
  while (waitpid(child, nullptr, WNOHANG) == 0) {
    if (!has_claim()) continue;
    kill(child, SIGKILL);
    killed = true;
    waitpid(child, nullptr, 0);
    break;
  }
  REQUIRE(killed);
  size_t complete = 0;
  for (const auto& path : files(folder)) complete += path.extension() == ".h5" && is_complete(path);
  REQUIRE(complete < 3);
  const Result resumed = run(options);
  REQUIRE(resumed.code == 0);
  REQUIRE(resumed.out.find(fmt::format("{} done before", complete)) != std::string::npos);
  REQUIRE(files(folder).size() == 3);  // neither a claim nor a temporary file is left
}

TEST_CASE("sweep: --set, --only and --force") {
  const test::TemporaryFolder folder;
  SweepOptions options = options_of(folder, sweep_text());
  options.only = "*bits-3*";
  options.overrides = {"method.weight.bits=4"};
  REQUIRE(run(options).out.find("1 runs: 1 done now") != std::string::npos);
  REQUIRE(files(folder).size() == 1);
  const RunSummary summary = read_run(files(folder)[0]);
  bool found = false;
  for (const auto& [key, value] : summary.config)
    if (key == "method.weight.bits") found = std::get<int64_t>(value) == 4;
  REQUIRE(found);
  options.force = true;
  REQUIRE(run(options).out.find("1 done now") != std::string::npos);
  options.only = "nothing*";
  REQUIRE_CONFIG_ERROR(run(options), "nothing*");
}

TEST_CASE("sweep: a failed run is recorded with its error and the sweep goes on") {
  const test::TemporaryFolder folder;
  std::filesystem::copy(test::source("datasets/mini"), folder / "model");
  std::filesystem::permissions(folder / "model/model.safetensors",
                               std::filesystem::perms::owner_all);
  std::string text = sweep_text();
  const std::string mini = test::source("datasets/mini").string();
  text.replace(text.find(mini), mini.size(), (folder / "model").string());
  // The text to score does not come from the model, so that only the runs meet the damage.
  std::string tokens("\x93NUMPY\x01\x00\x76\x00", 10);
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 48), }";
  header.resize(118, ' ');
  header[117] = '\n';
  std::string ids;
  for (int i = 0; i < 2 * 48; ++i) ids += std::string("\x07\x00\x00\x00", 4);
  test::write_file(folder / "tokens.npy", tokens + header + ids);
  const std::string self = "{name: self, samples: 2, length: 48}";
  text.erase(text.find("  - {task: cloze"), text.find("sweep:") - text.find("  - {task: cloze"));
  text.replace(text.find(self), self.size(),
               fmt::format("{{name: tokens, path: {}}}", (folder / "tokens.npy").string()));
  {
    // The last element of the file becomes NaN (float16 0x7fff).
    std::fstream file(folder / "model/model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-2, std::ios::end);
    file.write("\xff\x7f", 2);
  }
  const Result result = run(options_of(folder, text));
  INFO(result.out);
  REQUIRE(result.code == 1);
  REQUIRE(result.out.find("2 failed") != std::string::npos);
  REQUIRE(files(folder).size() == 2);
  for (const auto& path : files(folder)) {
    const RunSummary summary = read_run(path);
    CHECK(summary.status == "failed");
    CHECK(summary.error.find("model.safetensors") != std::string::npos);
    CHECK(!is_complete(path));  // it is tried again
  }
}
