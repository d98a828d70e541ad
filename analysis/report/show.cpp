#include "analysis/report/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "analysis/report/show_evidence.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_table.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"
#include "core/base/hdf5/probe.h"
#include "core/base/run/run_summary.h"

namespace wkvq {
namespace {

constexpr size_t kWidth = 120;
constexpr size_t kValueWidth = 80;

void section(const std::string& title, const TextTable& table, std::ostream& out) {
  if (table.rows.empty()) return;
  out << "\n" << title << "\n\n" << terminal_text(table, kWidth);
}

TextTable pairs(const hdf5::NamedAttributes& attributes) {
  TextTable table{{"name", "value"}, {}, 1};
  for (const auto& [name, value] : attributes)
    table.rows.push_back(
        {printable(name), shortened(printable(format_attribute(value)), kValueWidth)});
  return table;
}

TextTable evaluation_table(const RunSummary& run) {
  TextTable table{{"name", "metric", "dataset", "kv mode", "value", "n", "convention"}, {}, 1};
  for (const Evaluation& e : run.evaluations)
    table.rows.push_back({printable(e.name), printable(e.metric), printable(e.dataset),
                          printable(e.kv_mode), format_measurement(e.value, e.stderr_),
                          std::to_string(e.n), printable(e.convention)});
  return table;
}

/// "lowest .. highest (count)", the one value of a single one.
std::string range_of(const Array& array) {
  if (array.values.empty()) return "empty";
  if (array.values.size() == 1) return fmt::format("{:.4g}", array.values[0]);
  const auto [low, high] = std::minmax_element(array.values.begin(), array.values.end());
  return fmt::format("{:.4g} .. {:.4g} ({})", *low, *high, array.values.size());
}

struct StatisticsRow {
  std::string place;
  hdf5::NamedAttributes cells;
};

/// One row for `group` and, below it, one for each of its groups.
void collect(const hdf5::Reader& file, const std::string& group, int levels,
             std::vector<StatisticsRow>& rows) {
  const std::string root = "/statistics/";
  StatisticsRow row{group.size() > root.size() ? group.substr(root.size()) : "", {}};
  row.cells = file.attributes(group);
  for (const std::string& name : file.datasets(group))
    row.cells.emplace_back(name, range_of(file.array(group, name)));
  if (!row.cells.empty()) rows.push_back(std::move(row));
  if (levels == 0) return;
  for (const std::string& name : file.groups(group))
    collect(file, group + "/" + name, levels - 1, rows);
}

TextTable statistics_table(const hdf5::Reader& file) {
  std::vector<StatisticsRow> rows;
  collect(file, "/statistics", 2, rows);
  std::vector<std::string> names;
  for (const StatisticsRow& row : rows)
    for (const auto& [name, value] : row.cells)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  TextTable table{{"place"}, {}, 1};
  for (const std::string& name : names) table.headers.push_back(printable(name));
  for (const StatisticsRow& row : rows) {
    std::vector<std::string> cells{printable(row.place)};
    for (const std::string& name : names) {
      const auto found = std::find_if(row.cells.begin(), row.cells.end(),
                                      [&](const auto& cell) { return cell.first == name; });
      cells.push_back(found == row.cells.end()
                          ? "-"
                          : shortened(printable(format_attribute(found->second)), kValueWidth));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string cell_of(const Column& column, size_t row) {
  return std::visit(
      [&](const auto& values) {
        return shortened(printable(format_attribute(AttributeValue(values.at(row)))), kValueWidth);
      },
      column);
}

/// The raw rows of `group` as they are; empty where there are none.
TextTable rows_table(const hdf5::Reader& file, const std::string& group) {
  TextTable table{.key_columns = 1};
  std::vector<Column> columns;
  size_t rows = 0;
  for (const std::string& name : file.datasets(group)) {
    table.headers.push_back(printable(name));
    columns.push_back(file.column(group, name));
    const size_t here =
        std::visit([](const auto& values) { return values.size(); }, columns.back());
    if (columns.size() > 1 && here != rows) config_error("columns of {} differ in length", group);
    rows = here;
  }
  for (size_t row = 0; row < rows; ++row) {
    table.rows.emplace_back();
    for (const Column& column : columns) table.rows.back().push_back(cell_of(column, row));
  }
  return table;
}

/// Facts of `group`, then its rows.
void table_section(const hdf5::Reader& file, const std::string& title, const std::string& group,
                   std::ostream& out) {
  section(title, pairs(file.attributes(group)), out);
  section(title + ", rows", rows_table(file, group), out);
}

/// Sentences, so they are not cut as cells are.
void warnings_section(const hdf5::Reader& file, std::ostream& out) {
  const std::vector<std::string> names = file.datasets("/warnings");
  if (std::find(names.begin(), names.end(), "text") == names.end()) return;
  const Column column = file.column("/warnings", "text");
  const auto* texts = std::get_if<std::vector<std::string>>(&column);
  if (!texts) config_error("/warnings/text holds no text");
  out << "\nWarnings\n\n";
  for (const std::string& text : *texts)
    for (const std::string& line : wrapped(printable(text), kWidth)) out << line << "\n";
}

std::string text_of(const std::filesystem::path& path) {
  const RunSummary run = read_run(path);
  const hdf5::Reader file(path);
  std::ostringstream out;
  out << printable(path.string()) << "\n";
  section("Run", pairs(run.attributes), out);
  section("Configuration", pairs(run.config), out);
  section("Evaluation", evaluation_table(run), out);
  warnings_section(file, out);
  table_section(file, "Sensitivity", "/sensitivity", out);
  table_section(file, "Bits of places", "/calibration/bits", out);
  table_section(file, "Front of weights", "/calibration/front_weights", out);
  table_section(file, "Front of keys and values", "/calibration/front_kv", out);
  section("Cost", pairs(run.cost), out);
  section("As llama.cpp prints it", llama_cpp_table(run, file), out);
  section("Heads that the cache changes most", worst_heads_table(file), out);
  section("Statistics", statistics_table(file), out);
  return out.str();
}

}  // namespace

int show_command(const std::filesystem::path& path, std::ostream& out) {
  // HDF5 crashes on some damaged files.
  const std::string crash = probe(1, [&](size_t) { text_of(path); }).front();
  if (!crash.empty()) config_error("{}: damaged: reading it ended with {}", path.string(), crash);
  out << text_of(path);
  return 0;
}

}  // namespace wkvq
