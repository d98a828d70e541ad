#include "analysis/tables/section.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/tables/format_number.h"
#include "analysis/tables/latex_text.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;

constexpr size_t kWidth = 120;

std::string header_text(const std::vector<std::string>& parts) {
  return printable(fmt::format("{}", fmt::join(parts, ", ")));
}

std::string terminal_section(const Section& section) {
  std::string text = fmt::format("\n{}\n\n", section.title);
  if (!section.table.rows.empty()) text += terminal_text(text_table(section.table, false), kWidth);
  for (const std::string& note : section.notes)
    for (const std::string& line : wrapped(printable(note), kWidth)) text += line + "\n";
  return text;
}

std::string markdown_section(const Section& section) {
  std::string text = fmt::format("\n## {}\n\n", section.title);
  if (!section.table.rows.empty()) text += markdown_text(text_table(section.table, false));
  for (const std::string& note : section.notes) text += fmt::format("- {}\n", printable(note));
  return text;
}

/// "block_00/key": what names a row, or its number.
std::string row_name(const Table& table, size_t row) {
  std::string name;
  for (size_t i = 0; i < table.key_columns; ++i)
    name.append(i > 0 ? " " : "").append(table.rows[row][i].text);
  return name.empty() ? std::to_string(row) : name;
}

/// A number's exact text, or the text.
std::string exact_text(const Cell& cell) {
  return cell.kind == Cell::Kind::kNumber ? format_exact(cell.value) : cell.text;
}

std::string csv_section(const Section& section) {
  std::string text;
  const Table& table = section.table;
  for (size_t row = 0; row < table.rows.size(); ++row)
    for (size_t i = table.key_columns; i < table.rows[row].size(); ++i) {
      const Cell& cell = table.rows[row][i];
      if (cell.kind == Cell::Kind::kNothing) continue;
      text += csv_line({section.title, row_name(table, row), header_text(table.headers[i]),
                        exact_text(cell), std::isnan(cell.error) ? "" : format_exact(cell.error),
                        cell.n > 0 ? std::to_string(cell.n) : "", cell.convention});
    }
  for (size_t i = 0; i < section.notes.size(); ++i)
    text += csv_line({section.title, std::to_string(i), "note", section.notes[i], "", "", ""});
  return text;
}

ordered_json number_json(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  constexpr double kExact = 9007199254740992;  // 2^53
  if (value == std::trunc(value) && std::abs(value) < kExact) return static_cast<int64_t>(value);
  return value;
}

ordered_json cell_json(const Cell& cell) {
  if (cell.kind == Cell::Kind::kNothing) return nullptr;
  if (cell.kind == Cell::Kind::kText) return cell.text;
  ordered_json number = number_json(cell.value);
  if (std::isnan(cell.error) && cell.n == 0 && cell.convention.empty()) return number;
  ordered_json object = {{"value", std::move(number)}, {"error", number_json(cell.error)}};
  if (cell.n > 0) object["n"] = cell.n;
  if (!cell.convention.empty()) object["convention"] = cell.convention;
  return object;
}

ordered_json section_json(const Section& section) {
  ordered_json columns = ordered_json::array(), rows = ordered_json::array();
  for (const auto& parts : section.table.headers) columns.push_back(header_text(parts));
  for (const auto& cells : section.table.rows) {
    ordered_json row = ordered_json::array();
    for (const Cell& cell : cells) row.push_back(cell_json(cell));
    rows.push_back(std::move(row));
  }
  return {{"title", section.title}, {"columns", columns}, {"rows", rows}, {"notes", section.notes}};
}

std::string latex_section(const Section& section) {
  if (section.table.rows.empty()) return {};
  std::string caption = section.title + ".";
  std::vector<std::string> conventions;
  for (const auto& row : section.table.rows)
    for (const Cell& cell : row)
      if (!cell.convention.empty() && std::ranges::count(conventions, cell.convention) == 0)
        conventions.push_back(cell.convention);
  for (const std::string& convention : conventions)
    caption += fmt::format(" Convention: {}.", printable(convention));
  for (const std::string& note : section.notes) caption += fmt::format(" {}", printable(note));
  return latex_text(starred_table(section.table), caption) + "\n";
}

}  // namespace

const std::vector<std::string>& section_formats() {
  static const std::vector<std::string> kFormats{"table", "markdown", "csv", "json", "latex"};
  return kFormats;
}

void require_section_format(const std::string& command, const std::string& format) {
  if (std::ranges::find(section_formats(), format) == section_formats().end())
    config_error("{} format '{}'; expected one of {}", command, format,
                 fmt::join(section_formats(), ", "));
}

std::string sections_text(const std::vector<Section>& sections, const std::string& format) {
  std::vector<Section> shown = sections;
  std::erase_if(shown,
                [](const Section& one) { return one.table.rows.empty() && one.notes.empty(); });
  if (format == "json") {
    ordered_json list = ordered_json::array();
    for (const Section& section : shown) list.push_back(section_json(section));
    const ordered_json whole = {{"sections", list}};
    return whole.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }
  std::string text;
  if (format == "csv")
    text = csv_line({"section", "row", "column", "value", "error", "n", "convention"});
  for (const Section& section : shown)
    text += format == "csv"        ? csv_section(section)
            : format == "latex"    ? latex_section(section)
            : format == "markdown" ? markdown_section(section)
                                   : terminal_section(section);
  return text;
}

}  // namespace wkvq
