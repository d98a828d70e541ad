#include "analysis/report/show.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/compare/cells.h"
#include "analysis/report/show_evidence.h"
#include "analysis/tables/section.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"
#include "core/base/hdf5/probe.h"
#include "core/base/run/run_summary.h"

namespace wkvq {
namespace {

constexpr size_t kValueWidth = 80;

Table with_headers(const std::vector<std::string>& names, size_t key_columns) {
  Table table{.key_columns = key_columns, .text_width = kValueWidth};
  for (const std::string& name : names) table.headers.push_back({name});
  return table;
}

Table pairs(const hdf5::NamedAttributes& attributes) {
  Table table = with_headers({"name", "value"}, 1);
  for (const auto& [name, value] : attributes)
    table.rows.push_back({attribute_cell(name), attribute_cell(value)});
  return table;
}

Table evaluation_table(const RunSummary& run) {
  Table table =
      with_headers({"name", "metric", "dataset", "kv mode", "value", "n", "convention"}, 1);
  table.text_width = SIZE_MAX;  // conventions are whole
  for (const Evaluation& e : run.evaluations)
    table.rows.push_back({attribute_cell(e.name), attribute_cell(e.metric),
                          attribute_cell(e.dataset), attribute_cell(e.kv_mode), value_cell(e),
                          attribute_cell(e.n), attribute_cell(e.convention)});
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

Table statistics_table(const hdf5::Reader& file) {
  std::vector<StatisticsRow> rows;
  collect(file, "/statistics", 2, rows);
  std::vector<std::string> names;
  for (const StatisticsRow& row : rows)
    for (const auto& [name, value] : row.cells)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  Table table = with_headers({"place"}, 1);
  for (const std::string& name : names) table.headers.push_back({name});
  for (const StatisticsRow& row : rows) {
    std::vector<Cell> cells{attribute_cell(row.place)};
    for (const std::string& name : names) {
      const auto found = std::find_if(row.cells.begin(), row.cells.end(),
                                      [&](const auto& cell) { return cell.first == name; });
      cells.push_back(found == row.cells.end() ? Cell{} : attribute_cell(found->second));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Cell cell_of(const Column& column, size_t row) {
  return std::visit(
      [&](const auto& values) { return attribute_cell(AttributeValue(values.at(row))); }, column);
}

/// The raw rows of `group` as they are; empty where there are none.
Table rows_table(const hdf5::Reader& file, const std::string& group) {
  Table table = with_headers({}, 1);
  std::vector<Column> columns;
  size_t rows = 0;
  for (const std::string& name : file.datasets(group)) {
    table.headers.push_back({name});
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
void add_group(std::vector<Section>& sections, const hdf5::Reader& file, const std::string& title,
               const std::string& group) {
  sections.push_back({title, pairs(file.attributes(group))});
  sections.push_back({title + ", rows", rows_table(file, group)});
}

/// Sentences, so they are not cut as cells are.
Section warnings_of(const hdf5::Reader& file) {
  const std::vector<std::string> names = file.datasets("/warnings");
  if (std::find(names.begin(), names.end(), "text") == names.end()) return {"Warnings"};
  const Column column = file.column("/warnings", "text");
  const auto* texts = std::get_if<std::vector<std::string>>(&column);
  if (!texts) config_error("/warnings/text holds no text");
  return {.title = "Warnings", .notes = *texts};
}

std::vector<Section> sections_of(const std::filesystem::path& path) {
  const RunSummary run = read_run(path);
  const hdf5::Reader file(path);
  std::vector<Section> sections{{"Run", pairs(run.attributes)},
                                {"Configuration", pairs(run.config)},
                                {"Evaluation", evaluation_table(run)},
                                warnings_of(file)};
  add_group(sections, file, "Sensitivity", "/sensitivity");
  add_group(sections, file, "Bits of places", "/calibration/bits");
  add_group(sections, file, "Front of weights", "/calibration/front_weights");
  add_group(sections, file, "Front of keys and values", "/calibration/front_kv");
  sections.push_back({"Cost", pairs(run.cost)});
  sections.push_back({"As llama.cpp prints it", llama_cpp_table(run, file)});
  sections.push_back({"Heads that the cache changes most", worst_heads_table(file)});
  sections.push_back({"Statistics", statistics_table(file)});
  return sections;
}

}  // namespace

int show_command(const std::filesystem::path& path, const std::string& format, std::ostream& out) {
  require_section_format("show", format);
  // HDF5 crashes on some damaged files.
  const std::string crash = probe(1, [&](size_t) { sections_of(path); }).front();
  if (!crash.empty()) config_error("{}: damaged: reading it ended with {}", path.string(), crash);
  const std::string text = sections_text(sections_of(path), format);
  if (format == "table") out << printable(path.string()) << "\n";
  out << text;
  return 0;
}

}  // namespace wkvq
