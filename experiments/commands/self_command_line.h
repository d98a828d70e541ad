#pragma once

#include <CLI/CLI.hpp>

#include "experiments/commands/model_command_line.h"

namespace wkvq {

/// The subcommands about the program itself: new, doctor, completion, man.
void add_new(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);
void add_man(CLI::App& app, Action& action);

}  // namespace wkvq
