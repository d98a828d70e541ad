#include "analysis/tables/table.h"

#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

constexpr size_t kHeaderWidth = 16;
constexpr size_t kCellWidth = 40;

}  // namespace

Cell text_cell(const std::string& text) {
  return text.empty() ? Cell{} : Cell{.kind = Cell::Kind::kText, .text = text};
}

std::string text_of(const Cell& cell) {
  if (cell.kind == Cell::Kind::kNothing) return "-";
  if (cell.kind == Cell::Kind::kText) return shortened(printable(cell.text), kCellWidth);
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
    for (const Cell& cell : row) cells.push_back(text_of(cell));
  }
  return text;
}

}  // namespace wkvq
