#include "analysis/tables/table.h"

#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

constexpr size_t kHeaderWidth = 16;

}  // namespace

Cell text_cell(const std::string& text) {
  return text.empty() ? Cell{} : Cell{.kind = Cell::Kind::kText, .text = text};
}

Cell number_cell(double value, const std::string& text) {
  return {.kind = Cell::Kind::kNumber, .text = text, .value = value};
}

Cell attribute_cell(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value))
    return {.kind = Cell::Kind::kText, .text = *text};
  const auto* whole = std::get_if<int64_t>(&value);
  return number_cell(whole ? static_cast<double>(*whole) : std::get<double>(value),
                     format_attribute(value));
}

std::string text_of(const Cell& cell, size_t width) {
  if (cell.kind == Cell::Kind::kNothing) return "-";
  if (cell.kind == Cell::Kind::kText) return shortened(printable(cell.text), width);
  if (!cell.text.empty()) return cell.text;
  return format_measurement(cell.value, cell.error) + (cell.note.empty() ? "" : " " + cell.note);
}

TextTable text_table(const Table& table, bool wrap) {
  TextTable text{.key_columns = table.key_columns};
  for (const auto& parts : table.headers) {
    std::string& header = text.headers.emplace_back();
    for (const std::string& part : parts)
      for (const std::string& line :
           wrap ? wrapped(printable(part), kHeaderWidth) : std::vector{printable(part)})
        header.append(header.empty() ? "" : "\n").append(line);
  }
  for (const auto& row : table.rows) {
    auto& cells = text.rows.emplace_back();
    for (const Cell& cell : row) cells.push_back(text_of(cell, table.text_width));
  }
  return text;
}

TextTable starred_table(const Table& table) {
  TextTable text = text_table(table, true);
  for (size_t i = 0; i < table.rows.size(); ++i)
    for (size_t k = 0; k < table.rows[i].size(); ++k)
      text.rows[i][k].append(static_cast<size_t>(table.rows[i][k].stars), '*');
  return text;
}

}  // namespace wkvq
