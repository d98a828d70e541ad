#include "experiments/commands/self_command_line.h"

#include <iostream>

#include "experiments/commands/command_tree.h"
#include "experiments/commands/doctor_command.h"
#include "experiments/commands/man_page.h"
#include "experiments/commands/new_command.h"
#include "experiments/commands/shell_completion.h"

namespace wkvq {

void add_new(CLI::App& app, Action& action) {
  const auto options = std::make_shared<NewSweepOptions>();
  CLI::App& command = *app.add_subcommand("new", "write a commented sweep file to begin with");
  command.add_option("FILE", options->file, "sweep file to write (YAML)")->required();
  command
      .add_option("--model", options->model,
                  "model folder, GGUF file, mini or a name of the Hugging Face Hub")
      ->capture_default_str();
  command.add_option("--method", options->method, "a name of `wkvq list methods`")
      ->capture_default_str();
  command.add_option("--task", options->task, "a name of `wkvq list tasks`")->capture_default_str();
  command.add_option("--text", options->text,
                     "text file to evaluate on; default: text sampled from the model");
  command.callback(
      [options, &action] { action = [options] { return new_command(*options, std::cout); }; });
}

void add_doctor(CLI::App& app, Action& action) {
  const auto results = std::make_shared<std::filesystem::path>("results");
  CLI::App& command = *app.add_subcommand(
      "doctor", "what this machine can do: instruction sets, memory, CUDA, the results folder");
  command.add_option("--results", *results, "folder of the run files")->capture_default_str();
  command.callback(
      [results, &action] { action = [results] { return doctor_command(*results, std::cout); }; });
}

void add_completion(CLI::App& app, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("completion", "a completion script for bash or zsh");
  command.add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command.callback([&app, shell, &action] {
    action = [&app, shell] {
      std::cout << shell_completion(command_tree(app), *shell);
      return 0;
    };
  });
}

void add_man(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("man", "the manual page: wkvq man | man -l -");
  command.callback([&app, &action] {
    action = [&app] {
      std::cout << man_page(command_tree(app), WKVQ_VERSION);
      return 0;
    };
  });
}

}  // namespace wkvq
