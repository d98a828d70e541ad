#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace wkvq {

/// What the subcommand that was given does; returns the exit code.
using Action = std::function<int()>;

/// The subcommands about one model instead of a sweep: generate, pack, bench.
void add_generate(CLI::App& app, Action& action);
void add_pack(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);

}  // namespace wkvq
