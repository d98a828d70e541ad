#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "experiments/run/sweep_options.h"

namespace wkvq {

/// What is asked of Slurm for a sweep.
struct SlurmOptions {
  int64_t array_size = 0;               ///< tasks of the array; 0: one a run, at most 8
  int64_t gpus_per_task = 0;            ///< above 0, runs without --device go to cuda
  int64_t cpus_per_task = 0;            ///< 0: Slurm's default
  std::string time, partition, memory;  ///< as sbatch takes them; empty: Slurm's default
};

/// One task of the array is one shard of the sweep.
struct SlurmJob {
  std::string name;  ///< of the sweep
  size_t tasks = 1;
  std::filesystem::path program;  ///< the wkvq that runs, absolute
  std::filesystem::path logs;     ///< folder, absolute
};

/// ConfigError where a value could not stand in a line of #SBATCH.
void check_slurm(const SlurmOptions& options);

/// The script of an array job that may be requeued at any time: each task runs its shard, does not
/// do again what is done, and takes over what a lost node had begun. Works in the folder that it
/// was made in, whatever characters paths have.
std::string slurm_script(const SweepOptions& sweep, const SlurmOptions& slurm, const SlurmJob& job);

}  // namespace wkvq
