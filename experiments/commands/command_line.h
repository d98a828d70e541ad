#pragma once

namespace wkvq {

/// Reads the command line and does what it asks for. Returns the exit code: 2 where it cannot be
/// read. Errors of the commands are thrown.
int run_command_line(int argc, char** argv);

}  // namespace wkvq
