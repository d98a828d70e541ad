#include "experiments/commands/results_command_line.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "analysis/compare/compare.h"
#include "analysis/figures/figure_command.h"
#include "analysis/html/html_report.h"
#include "analysis/report/report.h"
#include "analysis/report/show.h"
#include "analysis/tables/section.h"
#include "experiments/commands/item_texts.h"

namespace wkvq {
namespace {

struct PageOptions {
  ReportOptions report;
  std::filesystem::path html;  ///< empty: a table on the terminal
  std::filesystem::path data;  ///< of published sets, for texts of items
};

void add_report_options(CLI::App& command, ReportOptions& options) {
  command.add_option("PATH", options.paths, "run files, or folders searched for them")->required();
  command
      .add_option("--format", options.format, fmt::format("{}", fmt::join(report_formats(), ", ")))
      ->check(CLI::IsMember(report_formats()))
      ->capture_default_str();
  command.add_flag_callback(
      "--jsonl", [&options] { options.format = "jsonl"; },
      "short for --format jsonl: one flat line a run, for experiment trackers");
  command
      .add_option("--columns", options.columns,
                  "configuration keys, evaluations or their metrics, facts of the run, cost.NAME")
      ->delimiter(',');
  command.add_flag("--published", options.published,
                   "also published numbers of the same settings (table, markdown, latex, --html)");
  command.add_option("--group-by", options.group_by, "one table a value of this column");
  command.add_option(
      "--draws", options.draws,
      "mean and spread over the values of this configuration key (calibration.seed)");
  command.add_option("--baseline", options.baseline,
                     "paired differences to a run: its id (or a shell pattern), its file, or auto "
                     "(full precision)");
  command
      .add_option("--pivot", options.pivot,
                  "ROW,COL: a two-way table of one evaluation over two columns (table, markdown)")
      ->delimiter(',');
  command.add_option("--width", options.width, "columns of the terminal")->capture_default_str();
}

void add_compare_options(CLI::App& command, CompareOptions& options) {
  command.add_option("A", options.first, "run file (.h5)")->required();
  command.add_option("B", options.second, "run file (.h5); differences are B - A")->required();
  command
      .add_option("--format", options.format, fmt::format("{}", fmt::join(section_formats(), ", ")))
      ->check(CLI::IsMember(section_formats()))
      ->capture_default_str();
  command
      .add_option("--kv-modes", options.kv_modes,
                  "two KV modes: A's evaluations of the first with B's of the second")
      ->delimiter(',');
  command.add_flag("--items", options.items, "list every item that flipped");
  command.add_option("--bootstrap", options.bootstrap.samples, "samples of the bootstrap")
      ->capture_default_str();
  command.add_option("--seed", options.bootstrap.seed, "seed of the bootstrap")
      ->capture_default_str();
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  const auto options = std::make_shared<PageOptions>();
  CLI::App& command = *app.add_subcommand("report", "tables of run files, or one page of all");
  add_report_options(command, options->report);
  command.add_option("--html", options->html,
                     "write one self-contained page with tables and figures to this file");
  command
      .add_option("--data", options->data,
                  "folder of the published sets of tasks, for texts of items (--html)")
      ->envname("WKVQ_DATA");
  command.callback([options, &action] {
    action = [options] {
      return options->html.empty() ? report_command(options->report, std::cout)
                                   : html_command(options->report, options->html, std::cout,
                                                  item_text_source(options->data));
    };
  });
}

void add_compare(CLI::App& app, Action& action) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App& command =
      *app.add_subcommand("compare", "paired differences of two runs, evaluation by evaluation");
  add_compare_options(command, *options);
  command.callback(
      [options, &action] { action = [options] { return compare_command(*options, std::cout); }; });
}

void add_show(CLI::App& app, Action& action) {
  struct Options {
    std::filesystem::path path;
    std::string format = "table";
  };
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("show", "everything in one run file, in short");
  command.add_option("RUN", options->path, "run file (.h5)")->required();
  command
      .add_option("--format", options->format,
                  fmt::format("{}", fmt::join(section_formats(), ", ")))
      ->check(CLI::IsMember(section_formats()))
      ->capture_default_str();
  command.callback([options, &action] {
    action = [options] { return show_command(options->path, options->format, std::cout); };
  });
}

void add_figure(CLI::App& app, Action& action) {
  const auto options = std::make_shared<FigureOptions>();
  CLI::App& command = *app.add_subcommand("figure", "one figure of run files as SVG, PNG or PDF");
  command.add_option("NAME", options->name, "its name; --list says which there are");
  command.add_option("PATH", options->paths, "run files, or folders searched for them");
  command.add_option("-o,--out", options->out, "file to write: .svg, .png or .pdf");
  command.add_flag("--list", options->list, "say which figures there are");
  command.callback(
      [options, &action] { action = [options] { return figure_command(*options, std::cout); }; });
}

}  // namespace wkvq
