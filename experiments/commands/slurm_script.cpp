#include "experiments/commands/slurm_script.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text/shell_text.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

void check_word(const char* option, const std::string& value) {
  const std::string allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:+-";
  if (value.find_first_not_of(allowed) != std::string::npos)
    config_error("{} '{}': expected letters, digits and _ . , : + -", option, shown(value));
}

void check_count(const char* option, int64_t value, int64_t most) {
  if (value < 0 || value > most) config_error("{} {}: expected 0 to {}", option, value, most);
}

std::string directives(const SlurmOptions& slurm, const SlurmJob& job) {
  std::string text = fmt::format(
      "#SBATCH --job-name=wkvq-{}\n#SBATCH --array=0-{}\n#SBATCH --ntasks=1\n#SBATCH --requeue\n"
      "#SBATCH --output=/dev/null\n",
      job.name, job.tasks - 1);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty() && value != "0") text += fmt::format("#SBATCH --{}={}\n", name, value);
  };
  add("gpus-per-task", std::to_string(slurm.gpus_per_task));
  add("cpus-per-task", std::to_string(slurm.cpus_per_task));
  add("time", slurm.time);
  add("partition", slurm.partition);
  add("mem", slurm.memory);
  return text;
}

/// The command line of a task, but for its shard.
std::string command(const SweepOptions& sweep, const SlurmOptions& slurm, const SlurmJob& job) {
  std::string text = fmt::format("{} run {} --results {}", shell_word(job.program.string()),
                                 shell_word(fs::absolute(sweep.file).string()),
                                 shell_word(fs::absolute(sweep.results).string()));
  for (const std::string& one : sweep.overrides) text += " --set " + shell_word(one);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format(" {} {}", name, shell_word(value));
  };
  add("--only", sweep.only);
  add("--data", sweep.data.empty() ? "" : fs::absolute(sweep.data).string());
  add("--device", sweep.device.empty() && slurm.gpus_per_task > 0 ? "cuda" : sweep.device);
  return slurm.cpus_per_task > 0 ? text + " --threads \"$SLURM_CPUS_PER_TASK\"" : text;
}

}  // namespace

void check_slurm(const SlurmOptions& options) {
  check_count("--array-size", options.array_size, 10'000);
  check_count("--gpus-per-task", options.gpus_per_task, 1024);
  check_count("--cpus-per-task", options.cpus_per_task, 1024);
  check_word("--time", options.time);
  check_word("--partition", options.partition);
  check_word("--mem", options.memory);
}

std::string slurm_script(const SweepOptions& sweep, const SlurmOptions& slurm,
                         const SlurmJob& job) {
  return fmt::format(
      "#!/bin/bash\n{}\n"
      "# Each task runs one part of the sweep. What is done is not done again, so a task may be\n"
      "# requeued at any time; what a lost node had begun is taken over after three minutes.\n"
      "cd {} || exit\n"
      "logs={}\n"
      "mkdir -p \"$logs\"\n"
      "exec >>\"$logs/${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID.log\" 2>&1\n"
      "echo \"$(date -u +%FT%TZ) $(uname -n): task $SLURM_ARRAY_TASK_ID of {}, requeued "
      "${{SLURM_RESTART_COUNT:-0}} times\"\n"
      "exec {} --shard \"$SLURM_ARRAY_TASK_ID/{}\"\n",
      directives(slurm, job), shell_word(fs::current_path().string()),
      shell_word(job.logs.string()), job.tasks, command(sweep, slurm, job), job.tasks);
}

}  // namespace wkvq
