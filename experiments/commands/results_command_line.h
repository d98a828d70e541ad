#pragma once

#include "experiments/commands/model_command_line.h"

namespace wkvq {

/// The subcommands about run files: report, compare, figure, show.
void add_report(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_figure(CLI::App& app, Action& action);
void add_show(CLI::App& app, Action& action);

}  // namespace wkvq
