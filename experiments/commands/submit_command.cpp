#include "experiments/commands/submit_command.h"

#include <fcntl.h>
#include <fmt/ostream.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/progress.h"
#include "core/base/run/run_state.h"
#include "core/base/text/shell_text.h"
#include "core/base/text/visible_text.h"
#include "experiments/run/resolved_sweep.h"
#include "experiments/run/results_folder.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTasks = 8;  // of an array, where nothing is asked for
constexpr int kNotFound = 127;

struct Ending {
  int code = 0;
  std::string output;  ///< standard output, then what the last lines of errors were
};

/// sbatch on `script`; its errors come with its output.
Ending run_sbatch(const fs::path& script) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) config_error("pipe: {}", std::strerror(errno));
  const pid_t child = ::fork();
  if (child < 0) config_error("fork: {}", std::strerror(errno));
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execlp("sbatch", "sbatch", "--parsable", script.c_str(), nullptr);
    ::_exit(kNotFound);
  }
  ::close(ends[1]);
  Ending ending;
  std::array<char, 4096> bytes;
  for (ssize_t n = 1; n > 0 || (n < 0 && errno == EINTR);)
    if (n = ::read(ends[0], bytes.data(), bytes.size()); n > 0)
      ending.output.append(bytes.data(), static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ending.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  ending.output.resize(ending.output.find_last_not_of('\n') + 1);
  return ending;
}

size_t runs_to_do(const ResolvedSweep& sweep) {
  const std::vector<RunState> states = run_states(sweep.paths());
  return static_cast<size_t>(std::ranges::count_if(
      states, [](const RunState& state) { return state.status != RunStatus::kDone; }));
}

/// Job number `output`, "123" or "123;cluster".
int tell_job(const SlurmJob& job, const SweepOptions& sweep, const std::string& output,
             std::ostream& out) {
  fmt::print(out, "job {}: {} tasks; logs in {}; `wkvq status {}` says how far they are\n",
             visible_text(output.substr(0, output.find(';'))), job.tasks, job.logs.string(),
             shell_word((sweep.results / job.name).string()));
  return 0;
}

}  // namespace

int submit_command(const SweepOptions& options, const SlurmOptions& slurm, bool dry_run,
                   std::ostream& out) {
  check_slurm(slurm);
  if (!dry_run) require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  session.show_progress(ProgressSink::standard_error());
  const ResolvedSweep sweep = resolve_sweep(options, session);
  const size_t left = runs_to_do(sweep);
  const fs::path logs = fs::absolute(options.results) / sweep.file.name / "slurm";
  const SlurmJob job{.name = sweep.file.name,
                     .tasks = slurm.array_size > 0 ? static_cast<size_t>(slurm.array_size)
                                                   : std::clamp<size_t>(left, 1, kTasks),
                     .program = fs::read_symlink("/proc/self/exe"),
                     .logs = logs};
  const std::string script = slurm_script(options, slurm, job);
  if (dry_run) {
    out << script;
    return 0;
  }
  if (left == 0) {
    fmt::print(out, "{} runs of sweep '{}' are done; nothing is submitted\n", sweep.runs.size(),
               sweep.file.name);
    return 0;
  }
  std::error_code error;
  fs::create_directories(logs, error);
  if (error) write_failed(logs, "cannot be made", error.value());
  TemporaryFile file(logs / "job.sh");
  file.write(script.data(), script.size());
  file.commit();
  const Ending ending = run_sbatch(logs / "job.sh");
  if (ending.code == 0) return tell_job(job, options, ending.output, out);
  fmt::print(out, "sbatch {}: {}; the script is {}\n",
             ending.code == kNotFound ? "was not found" : "refuses the job",
             ending.output.empty() ? fmt::format("exit code {}", ending.code)
                                   : visible_text(ending.output),
             (logs / "job.sh").string());
  return 1;
}

}  // namespace wkvq
