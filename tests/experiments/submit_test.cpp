#include <pty.h>

#include "core/base/text/shell_text.h"
#include "tests/support/process.h"
#include "tests/support/program.h"

using namespace wkvq;
using test::contains;
using test::Outcome;
using test::program;
using test::refuses;
namespace fs = std::filesystem;

namespace {

/// A sweep of six runs in a folder with an odd name, and a fake sbatch that runs every task of the
/// array itself, the second one twice.
class Cluster {
 public:
  Cluster() : home_(folder_ / "it's a \"$HOME\" `x`; folder") {
    fs::create_directories(home_);
    fs::create_directories(folder_ / "bin");
    test::write_file(
        home_ / "s.yaml",
        fmt::format("name: s\nmodel: {{path: {}}}\nmethod: {{name: rtn}}\nevaluate: [{{task: "
                    "perplexity, dataset: {{name: self, samples: 2, length: 48}}}}]\nsweep: "
                    "{{method.kv.bits: [16, 8, 5, 4, 3, 2]}}\n",
                    test::source("datasets/mini").string()));
    test::write_file(folder_ / "bin/sbatch",
                     "#!/bin/bash\nset -e\n[[ $1 == --parsable ]]\n"
                     "n=$(sed -n 's/#SBATCH --array=0-//p' \"$2\")\n"
                     "for i in $(seq 0 \"$n\") 1; do\n"
                     "  SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$i bash \"$2\"\ndone\n"
                     "echo '77;fake'\n");
    fs::permissions(folder_ / "bin/sbatch", fs::perms::owner_all);
  }
  std::string arguments(const std::string& command) const {
    return fmt::format("{} {} --results {}", command, shell_word((home_ / "s.yaml").string()),
                       shell_word(results().string()));
  }
  fs::path results() const { return home_ / "r e"; }
  Outcome with_sbatch(const std::string& arguments) const {
    setenv("OMP_NUM_THREADS", "1", 1);
    const std::string path = std::getenv("PATH");
    setenv("PATH", ((folder_ / "bin").string() + ":" + path).c_str(), 1);
    const Outcome outcome = program(arguments);
    setenv("PATH", path.c_str(), 1);
    return outcome;
  }
  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }

 private:
  test::TemporaryFolder folder_;
  fs::path home_;
};

}  // namespace

TEST_CASE("shell word: what a shell reads back is the text") {
  CHECK(shell_word("results/a_b-1.yaml") == "results/a_b-1.yaml");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("$x`y`\n\"") == "'$x`y`\n\"'");
}

TEST_CASE("submit: the script is printed, bash reads it, and nothing is made") {
  const Cluster cluster;
  const Outcome dry = program(cluster.arguments("submit") +
                              " --slurm --dry-run --array-size 4 --gpus-per-task 1 --time 1:00:00 "
                              "--partition gpu --cpus-per-task 8 --set 'method.weight.bits=4'");
  INFO(dry.text);
  REQUIRE(dry.code == 0);
  for (const char* part :
       {"#SBATCH --job-name=wkvq-s\n", "#SBATCH --array=0-3\n", "#SBATCH --requeue\n",
        "#SBATCH --gpus-per-task=1\n", "#SBATCH --time=1:00:00\n", "#SBATCH --partition=gpu\n",
        "--device cuda", "--set method.weight.bits=4", "--shard \"$SLURM_ARRAY_TASK_ID/4\""})
    CHECK(contains(dry.text, part));
  CHECK(!fs::exists(cluster.results() / "s"));
  test::write_file(cluster / "job.sh", dry.text);
  CHECK(std::system(("bash -n " + cluster / "job.sh").c_str()) == 0);
}

TEST_CASE("submit: every run is done by its task, none twice, whatever the folder is called") {
  const Cluster cluster;
  const Outcome submitted =
      cluster.with_sbatch(cluster.arguments("submit") + " --slurm --array-size 3");
  INFO(submitted.text);
  REQUIRE(submitted.code == 0);
  CHECK(contains(submitted.text, "job 77: 3 tasks; logs in "));
  const auto log = [&](int task) {
    return test::read_text(cluster.results() / fmt::format("s/slurm/77_{}.log", task));
  };
  for (const int task : {0, 1, 2}) CHECK(contains(log(task), "2 runs: 2 done now, 0 done before"));
  CHECK(contains(log(1), "2 runs: 0 done now, 2 done before"));
  const Outcome again = cluster.with_sbatch(cluster.arguments("submit") + " --slurm");
  CHECK(contains(again.text, "6 runs of sweep 's' are done; nothing is submitted"));
  const Outcome status = program("status " + shell_word(cluster.results().string()));
  CHECK(contains(status.text, "0 running, 6 done, 0 failed"));
}

TEST_CASE("submit: refusals of the input and of sbatch are one message") {
  const Cluster cluster;
  refuses(cluster.arguments("submit"), {"submit: --slurm is required"});
  refuses(cluster.arguments("submit --slurm --time '1 #x'"), {"--time '1 #x': expected letters"});
  refuses(cluster.arguments("submit --slurm --array-size -1"), {"--array-size -1: expected 0 to"});
  refuses(cluster.arguments("submit --slurm --set method.kv.bits=x"), {"method.kv.bits"});
  test::write_file(cluster / "bin/sbatch", "#!/bin/bash\necho 'invalid partition' >&2; exit 1\n");
  const Outcome refused = cluster.with_sbatch(cluster.arguments("submit") + " --slurm");
  CHECK(refused.code == 1);
  CHECK(contains(refused.text, "sbatch refuses the job: invalid partition; the script is "));
}

namespace {

/// What the program writes to a terminal of 100 columns.
std::string on_terminal(const std::string& command) {
  int terminal = -1;
  winsize size{.ws_row = 40, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  std::string text;
  std::array<char, 4096> bytes;
  while (true) {
    const ssize_t n = read(terminal, bytes.data(), bytes.size());
    if (n <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(n));
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  return text;
}

}  // namespace

TEST_CASE(
    "progress: live lines on a terminal, plain ones in the log, the table's rows at the end") {
  const Cluster cluster;
  const std::string log = cluster / "log.txt";
  const std::string command =
      "OMP_NUM_THREADS=1 " + test::wkvq_binary() + " " + cluster.arguments("run") + " --log " + log;
  const std::string shown = on_terminal(command);
  INFO(shown);
  CHECK(contains(shown, "\r[1/6] "));
  CHECK(contains(shown, "all of it: wkvq report "));
  CHECK(contains(shown, "6 runs: 6 done now, 0 done before, 0 failed"));
  const std::string logged = test::read_text(log);
  CHECK(logged.find('\r') == std::string::npos);
  CHECK(logged.find('\x1b') == std::string::npos);
  CHECK(contains(logged, "sweep s: 6 runs, 6 to do\n"));
  CHECK(contains(logged, "\n[6/6] "));
  CHECK(contains(logged, "6 runs: 6 done now"));
  const Outcome quiet = program(cluster.arguments("run") + " --force --quiet");
  CHECK(quiet.text.starts_with("6 runs: 6 done now, 0 done before, 0 failed"));
  CHECK(std::count(quiet.text.begin(), quiet.text.end(), '\n') == 1);
  refuses(cluster.arguments("run") + " --log /nowhere/x", {"--log /nowhere/x: cannot be written"});
}
