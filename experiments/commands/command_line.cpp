#include "experiments/commands/command_line.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>

#include "analysis/read/main_figure.h"
#include "analysis/report/first_rows.h"
#include "analysis/report/lm_eval_json.h"
#include "core/base/checkpoint/inspect.h"
#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/folder_command_line.h"
#include "experiments/commands/model_command_line.h"
#include "experiments/commands/results_command_line.h"
#include "experiments/commands/self_command_line.h"
#include "experiments/commands/submit_command.h"
#include "experiments/config/provenance.h"

namespace wkvq {

namespace {

void add_sweep_options(CLI::App& command, SweepOptions& options) {
  command.add_option("FILE", options.file, "sweep file (YAML)")->required();
  command.add_option("--results", options.results, "folder of the run files")
      ->capture_default_str();
  command.add_option("--set", options.overrides, "override a key: method.kv.bits=4; repeatable")
      ->allow_extra_args(false);
  command.add_option("--data", options.data, "folder of the published sets of tasks")
      ->envname("WKVQ_DATA");
  command.add_option("--device", options.device, "cpu, cuda or cuda:<index>, over the file's");
}

void add_only_option(CLI::App& command, SweepOptions& options) {
  command.add_option("--only", options.only, "only runs whose id matches this shell pattern");
  command
      .add_option_function<std::string>(
          "--shard", [&options](const std::string& text) { options.shard = parse_shard(text); },
          "i/n, i from 0: one of n parts of equal work, together all runs")
      ->type_name("TEXT");
}

void add_inspect_options(CLI::App& command, std::string& model, InspectOptions& options) {
  command
      .add_option("MODEL", model, "model folder, GGUF file, mini or a name of the Hugging Face Hub")
      ->required();
  command.add_option("--weight-bits", options.weight_bits, "bits of the linears")
      ->capture_default_str();
  command.add_option("--weight-group", options.weight_group, "-1: whole row")
      ->capture_default_str();
  command.add_option("--kv-bits", options.kv_bits, "bits of keys and values")
      ->capture_default_str();
  command.add_option("--kv-group", options.kv_group, "-1: head_dim")->capture_default_str();
  command.add_option("--context", options.context, "tokens a sequence")->capture_default_str();
  command.add_option("--batch", options.batch, "sequences")->capture_default_str();
}

void add_plan(CLI::App& app, Action& action) {
  const auto options = std::make_shared<SweepOptions>();
  CLI::App& command =
      *app.add_subcommand("plan", "list the runs of a sweep, their ids and what is done");
  add_sweep_options(command, *options);
  add_only_option(command, *options);
  const auto phases = std::make_shared<bool>(false);
  command.add_flag("--phases", *phases, "also about how much work each phase of a run is");
  command.callback([options, phases, &action] {
    action = [options, phases] { return plan_command(*options, std::cout, *phases); };
  });
}

void add_run(CLI::App& app, Action& action) {
  const auto options = std::make_shared<SweepOptions>();
  CLI::App& command = *app.add_subcommand("run", "run what is not done yet");
  add_sweep_options(command, *options);
  add_only_option(command, *options);
  command.add_flag("--force", options->force, "run again what is done");
  command.add_flag("--quiet", options->quiet, "no progress; failures and the counts only");
  command.add_option("--log", options->log, "append all that is said to this file, in plain lines");
  options->main_figure = main_figure;
  options->first_rows = first_rows;
  command.add_flag_callback(
      "--lm-eval-json", [options] { options->on_done = write_lm_eval_json; },
      "also lm-evaluation-harness's JSON beside each run file, of runs done before too");
  command.callback(
      [options, &action] { action = [options] { return run_command(*options, std::cout); }; });
}

void add_submit(CLI::App& app, Action& action) {
  struct Options {
    SweepOptions sweep;
    SlurmOptions slurm;
    bool dry_run = false;
  };
  const auto options = std::make_shared<Options>();
  SlurmOptions& slurm = options->slurm;
  CLI::App& command = *app.add_subcommand("submit", "give the runs of a sweep to a cluster");
  add_sweep_options(command, options->sweep);
  command.add_option("--only", options->sweep.only, "only runs whose id matches this pattern");
  const std::string slurm_help = "to Slurm, as an array of shards that may be requeued";
  command.add_flag("--slurm", slurm_help)->required();
  command.add_option("--array-size", slurm.array_size, "shards; 0: one a run, at most 8")
      ->capture_default_str();
  command.add_option("--gpus-per-task", slurm.gpus_per_task, "GPUs of a shard; runs go to cuda")
      ->capture_default_str();
  command.add_option("--cpus-per-task", slurm.cpus_per_task, "cores, and threads, of a shard");
  command.add_option("--time", slurm.time, "limit of a shard, as sbatch takes it");
  command.add_option("--partition", slurm.partition, "Slurm's partition");
  command.add_option("--mem", slurm.memory, "memory of a shard, as sbatch takes it");
  command.add_flag("--dry-run", options->dry_run, "print the script, submit nothing");
  command.callback([options, &action] {
    action = [options] {
      return submit_command(options->sweep, options->slurm, options->dry_run, std::cout);
    };
  });
}

void add_sensitivity(CLI::App& app, Action& action) {
  const auto options = std::make_shared<SweepOptions>();
  CLI::App& command = *app.add_subcommand(
      "sensitivity", "what single parts of single blocks lose when only they are quantized");
  add_sweep_options(command, *options);
  command.add_flag("--force", options->force, "probe again what is done");
  command.callback([options, &action] {
    action = [options] { return sensitivity_command(*options, std::cout); };
  });
}

void add_list(CLI::App& app, Action& action) {
  struct Options {
    std::string what, name;
  };
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("list", "methods, tasks, datasets, families or formats");
  command.add_option("WHAT", options->what, "methods, tasks, datasets, families or formats")
      ->type_name("{methods,tasks,datasets,families,formats}")
      ->required();
  command.add_option("NAME", options->name, "one of them: its options with defaults");
  command.callback([options, &action] {
    action = [options] { return list_command(options->what, options->name, std::cout); };
  });
}

void add_inspect(CLI::App& app, Action& action) {
  struct Options {
    std::string model;
    InspectOptions inspect;
  };
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("inspect", "architecture and memory of a model");
  add_inspect_options(command, options->model, options->inspect);
  command.callback([options, &action] {
    action = [options] {
      std::cout << inspect_text(options->model, options->inspect);
      return 0;
    };
  });
}

constexpr int64_t kMostThreads = 1024;

/// `--threads` is taken before the command and behind it.
void add_threads(CLI::App& app, int64_t& threads) {
  const auto add = [&threads](CLI::App& command) {
    command.add_option("--threads", threads, "threads of the computation; default: all cores")
        ->check([](const std::string& given) {
          int64_t count = 0;
          const bool whole = CLI::detail::lexical_cast(given, count);
          return whole && count >= 1 && count <= kMostThreads
                     ? std::string()
                     : fmt::format("given '{}', expected 1 or more (at most {})", given,
                                   kMostThreads);
        });
  };
  add(app);
  for (CLI::App* command : app.get_subcommands({})) add(*command);
}

/// The first argument that is neither an option of the program nor its value; may be empty.
std::string given_command(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--threads")
      ++i;
    else if (!argument.starts_with('-'))
      return argument;
  }
  return {};
}

std::vector<std::string> long_options(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// Says what is wrong with the arguments, with the name that was meant.
[[noreturn]] void refuse_arguments(CLI::App& app, const std::string& given,
                                   const CLI::ParseError& error) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  if (given.empty()) config_error("no command given (commands: {})", fmt::join(commands, ", "));
  if (std::find(commands.begin(), commands.end(), given) == commands.end())
    config_error("'{}' is not a command{}", shown(given), suggestion(given, commands, "commands"));
  const CLI::App& command = *app.get_subcommand(given);
  for (const std::string& rest : app.remaining(true)) {
    const std::string name = rest.substr(0, rest.find('='));
    if (name.starts_with("--"))
      config_error("{}: unknown option '{}'{}", given, shown(name),
                   suggestion(name, long_options(command), "options"));
    config_error("{}: '{}' was not expected; `wkvq {} --help` says what is", given, shown(rest),
                 given);
  }
  config_error("{}: {}; `wkvq {} --help` explains", given, error.what(), given);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "wkvq: what does quantizing weights and the key/value cache do to a language model?");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("wkvq {} ({})", WKVQ_VERSION, git_version()));
  int64_t threads = 0;
  Action action;
  for (const auto add :
       {add_plan, add_run, add_submit, add_status, add_merge, add_report, add_compare, add_figure,
        add_show, add_generate, add_pack, add_sensitivity, add_list, add_inspect, add_bench})
    add(app, action);
  for (const auto add : {add_new, add_doctor, add_completion, add_man}) add(app, action);
  add_threads(app, threads);
  if (argc <= 1) {
    // Nothing was done, which a script that forgot the command should see.
    std::cout << app.help();
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    refuse_arguments(app, given_command(argc, argv), error);
  }
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  // A model's text stays as it is in a file; on a terminal it could steer.
  const bool exact = app.got_subcommand("generate") && isatty(STDOUT_FILENO) == 0;
  std::optional<VisibleOutput> visible;
  if (!exact) visible.emplace(std::cout);
  return action();
}

}  // namespace wkvq
