#include "experiments/commands/command_tree.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace wkvq {

namespace {

/// The words of "...{a,b}"; none where there are no braces.
std::vector<std::string> words_in_braces(const std::string& type) {
  std::vector<std::string> words;
  const size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return words;
  std::istringstream list(type.substr(begin + 1, end - begin - 1));
  for (std::string word; std::getline(list, word, ',');) words.push_back(word);
  return words;
}

ShownOption shown_option(const CLI::Option& option) {
  ShownOption result{.help = option.get_description(), .required = option.get_required()};
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  if (result.names.empty()) result.names.push_back(option.get_name(true));
  if (option.get_items_expected_max() == 0) return result;
  const std::string type = option.get_type_name();
  result.choices = words_in_braces(type);
  result.value = result.choices.empty() ? type.substr(0, type.find_first_of(":{")) : "CHOICE";
  return result;
}

ShownCommand shown_command(const CLI::App& app) {
  ShownCommand command{app.get_name(), app.get_description(), {}};
  for (const CLI::Option* option : app.get_options())
    command.options.push_back(shown_option(*option));
  std::ranges::stable_partition(command.options, &ShownOption::positional);
  return command;
}

}  // namespace

std::vector<ShownCommand> command_tree(const CLI::App& app) {
  std::vector<ShownCommand> commands{shown_command(app)};
  commands.front().name.clear();  // the path that the program was called by
  for (const CLI::App* command : app.get_subcommands({}))
    commands.push_back(shown_command(*command));
  return commands;
}

}  // namespace wkvq
