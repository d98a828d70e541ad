#pragma once

#include "experiments/commands/model_command_line.h"

namespace wkvq {

/// The subcommands about results folders that several processes share: status, merge.
void add_status(CLI::App& app, Action& action);
void add_merge(CLI::App& app, Action& action);

}  // namespace wkvq
