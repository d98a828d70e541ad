#include "experiments/commands/folder_command_line.h"

#include <iostream>
#include <memory>

#include "analysis/merge/merge.h"
#include "analysis/status/status_command.h"

namespace wkvq {

void add_status(CLI::App& app, Action& action) {
  struct Options {
    std::filesystem::path folder;
    std::string format = "table";
  };
  const auto options = std::make_shared<Options>();
  CLI::App& command =
      *app.add_subcommand("status", "what is running, done, failed and stale in a results folder");
  command.add_option("RESULTS", options->folder, "results folder")->required();
  command.add_option("--format", options->format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command.callback([options, &action] {
    action = [options] { return status_command(options->folder, options->format, std::cout); };
  });
}

void add_merge(CLI::App& app, Action& action) {
  const auto options = std::make_shared<MergeOptions>();
  CLI::App& command =
      *app.add_subcommand("merge", "copy all runs that are done into one file, with an index");
  command.add_option("RESULTS", options->paths, "folders, run files or merged files")->required();
  command.add_option("--out", options->out, "file to write (.h5); a merged file is replaced")
      ->required();
  command.callback(
      [options, &action] { action = [options] { return merge_command(*options, std::cout); }; });
}

}  // namespace wkvq
