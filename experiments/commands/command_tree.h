#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace wkvq {

/// An option or a positional argument as it is shown to people and to shells.
struct ShownOption {
  std::vector<std::string> names;    ///< with their dashes; one without for a positional
  std::string value;                 ///< what follows it, e.g. "TEXT"; empty: nothing
  std::vector<std::string> choices;  ///< values that are allowed; empty: any
  std::string help;
  bool required = false;

  bool positional() const { return names.front().front() != '-'; }
};

struct ShownCommand {
  std::string name;  ///< empty: the program itself
  std::string help;
  std::vector<ShownOption> options;  ///< positional ones first
};

/// The program and its commands, the program first. Choices are those of CLI::IsMember, or of a
/// type name "{a,b}".
std::vector<ShownCommand> command_tree(const CLI::App& app);

}  // namespace wkvq
