#pragma once

#include <string>
#include <vector>

#include "experiments/commands/command_tree.h"

namespace wkvq {

/// The manual page wkvq(1) in the man macros of troff.
std::string man_page(const std::vector<ShownCommand>& commands, const std::string& version);

}  // namespace wkvq
