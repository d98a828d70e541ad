#include "experiments/commands/shell_completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wkvq {

namespace {

constexpr const char* kBash = R"(# bash completion of wkvq: source <(wkvq completion bash)
_wkvq() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      --threads) ((++i)) ;;
      -*) ;;
      *) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  COMPREPLY=()
  case "$command $previous" in
{values}  esac
  if [[ -z $words ]]; then
    case "$command $word" in
{options}    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _wkvq wkvq
)";

constexpr const char* kZsh = R"(#compdef wkvq
# zsh completion of wkvq: put this into a file _wkvq of a folder in $fpath
_wkvq() {{
  local state line
  local -a commands=(
{commands}  )
  _arguments -C \
{program}    '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $words[1] in
{cases}      esac ;;
  esac
}}
_wkvq "$@"
)";

std::vector<std::string> option_names(const ShownCommand& command) {
  std::vector<std::string> names;
  for (const ShownOption& option : command.options)
    if (!option.positional()) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

std::string bash_script(const std::vector<ShownCommand>& commands) {
  std::string values, options;
  std::vector<std::string> names;
  for (const ShownCommand& command : commands) {
    if (!command.name.empty()) names.push_back(command.name);
    for (const ShownOption& option : command.options) {
      // A positional argument comes behind the command.
      if (option.choices.empty()) continue;
      const std::string before = option.positional() ? command.name : option.names.back();
      values += fmt::format("    \"{} {}\") words=\"{}\" ;;\n", command.name, before,
                            fmt::join(option.choices, " "));
    }
    options += fmt::format("      \"{} -\"*) words=\"{}\" ;;\n", command.name,
                           fmt::join(option_names(command), " "));
  }
  options += fmt::format("      \" \"*) words=\"{}\" ;;\n", fmt::join(names, " "));
  return fmt::format(kBash, fmt::arg("values", values), fmt::arg("options", options));
}

/// In single quotes: `text` without what ends them or means something to _arguments.
std::string zsh_text(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'')
      safe += "'\\''";
    else if (c == ':' || c == '[' || c == ']' || c == '\\')
      safe += fmt::format("\\{}", c);
    else
      safe += c;
  }
  return safe;
}

/// What completes the value of an option.
std::string zsh_value(const ShownOption& option) {
  if (!option.choices.empty()) return fmt::format(":value:({})", fmt::join(option.choices, " "));
  return option.value.empty() ? "" : ":value:_files";
}

std::string zsh_options(const ShownCommand& command, const std::string& indent) {
  std::string lines;
  for (const ShownOption& option : command.options) {
    if (option.positional()) continue;
    for (const std::string& name : option.names)
      lines +=
          fmt::format("{}'*{}[{}]{}' \\\n", indent, name, zsh_text(option.help), zsh_value(option));
  }
  return lines;
}

std::string zsh_script(const std::vector<ShownCommand>& commands) {
  std::string names, cases;
  for (const ShownCommand& command : commands) {
    if (command.name.empty()) continue;
    names += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.help));
    std::string rest = "'*:file:_files'";
    for (const ShownOption& option : command.options)
      if (option.positional() && !option.choices.empty())
        rest = fmt::format("'1{}' {}", zsh_value(option), rest);
    cases += fmt::format("        {})\n          _arguments \\\n{}            {} ;;\n",
                         command.name, zsh_options(command, "            "), rest);
  }
  return fmt::format(kZsh, fmt::arg("commands", names), fmt::arg("cases", cases),
                     fmt::arg("program", zsh_options(commands.front(), "    ")));
}

}  // namespace

std::string shell_completion(const std::vector<ShownCommand>& commands, const std::string& shell) {
  return shell == "bash" ? bash_script(commands) : zsh_script(commands);
}

}  // namespace wkvq
