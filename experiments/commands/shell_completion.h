#pragma once

#include <string>
#include <vector>

#include "experiments/commands/command_tree.h"

namespace wkvq {

/// A completion script for that shell, "bash" or "zsh": commands, options, the choices of values
/// and positional arguments, and files for all else.
std::string shell_completion(const std::vector<ShownCommand>& commands, const std::string& shell);

}  // namespace wkvq
