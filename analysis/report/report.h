#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace wkvq {

/// table, markdown, csv, json, jsonl, latex.
const std::vector<std::string>& report_formats();

/// What `wkvq report` was asked for.
struct ReportOptions {
  std::vector<std::filesystem::path> paths = {};  ///< run files, or folders searched for *.h5
  std::string format = "table";                   ///< one of report_formats()
  /// Empty: what differs, the evaluations but for quantiles of KL, status where one is not done.
  std::vector<std::string> columns = {};
  std::string group_by = {};  ///< empty, or the column with a sub-table a value
  std::string draws = {};     ///< empty, or the configuration key whose values are averaged over
  std::string baseline = {};  ///< empty, "auto", a run id or file: differences to it
  std::vector<std::string> pivot = {};  ///< empty, or two columns: down and across
  bool published =
      false;           ///< formats table, markdown, latex: published numbers of the same settings
  size_t width = 120;  ///< of the terminal; format table only
};

/// Prints one row a run, full precision first, else in order of sweep and configuration. Numbers
/// carry metric, dataset and KV mode in their header and their convention in a note; files that
/// cannot be read are rows too. Returns 0; ConfigError for options or paths that cannot be used.
int report_command(const ReportOptions& options, std::ostream& out);

}  // namespace wkvq
