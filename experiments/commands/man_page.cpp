#include "experiments/commands/man_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wkvq {

namespace {

constexpr const char* kDescription =
    "wkvq quantizes the weights and the key/value cache of a language model as a sweep file says, "
    "scores every run exactly, keeps raw rows and statistics in one HDF5 file per run, and prints "
    "tables with standard errors.";

struct Entry {
  const char* name;
  const char* text;
};

constexpr Entry kExitCodes[] = {
    {"0", "all was done"},
    {"1", "a run failed, or results could not be written"},
    {"2", "bad input: one line says who, what was given and what was expected"},
    {"130, 143, 129", "stopped by SIGINT, SIGTERM or SIGHUP; the same command goes on"}};

constexpr Entry kEnvironment[] = {
    {"WKVQ_DATA", "folder of the published sets of tasks, as --data"},
    {"WKVQ_CPU_CAPABILITY", "generic, avx2 or avx512: the instruction set of the kernels"},
    {"OMP_NUM_THREADS", "threads of the computation, as --threads"},
    {"HF_HUB_CACHE, HF_HOME", "where models named OWNER/NAME are looked up"}};

/// Text that troff takes as it is: no request at the beginning of a line, real hyphens.
std::string roff(const std::string& text) {
  std::string safe = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\')
      safe += "\\e";
    else if (c == '-')
      safe += "\\-";
    else
      safe += c;
  }
  return safe;
}

std::string tagged(const std::string& tag, const std::string& text) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(tag), roff(text));
}

std::string option_entry(const ShownOption& option) {
  std::string tag = fmt::format("{}", fmt::join(option.names, ", "));
  if (!option.choices.empty())
    tag += fmt::format("{}{}", option.positional() ? ": " : " ", fmt::join(option.choices, " | "));
  else if (!option.positional() && !option.value.empty())
    tag += " " + option.value;
  return tagged(tag, option.help);
}

std::string section(const char* title, const auto& entries) {
  std::string text = fmt::format(".SH {}\n", title);
  for (const Entry& entry : entries) text += tagged(entry.name, entry.text);
  return text;
}

}  // namespace

std::string man_page(const std::vector<ShownCommand>& commands, const std::string& version) {
  std::string text = fmt::format(
      ".TH WKVQ 1 \"\" \"wkvq {}\" \"User Commands\"\n.SH NAME\nwkvq \\- {}\n"
      ".SH SYNOPSIS\n.B wkvq\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n{}\n",
      roff(version), "what does quantizing do to a language model?", roff(kDescription));
  for (const ShownCommand& command : commands) {
    text += command.name.empty()
                ? std::string(".SH OPTIONS\n")
                : fmt::format(".SS {}\n{}.\n", roff(command.name), roff(command.help));
    for (const ShownOption& option : command.options) text += option_entry(option);
    if (command.name.empty()) text += ".SH COMMANDS\n";
  }
  return text + section("EXIT STATUS", kExitCodes) + section("ENVIRONMENT", kEnvironment) +
         ".SH SEE ALSO\ndocs/configuration.md, docs/tutorial.md and results/README.md of the "
         "sources\n";
}

}  // namespace wkvq
