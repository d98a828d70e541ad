#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/tables/text_table.h"
#include "core/base/recorder.h"

namespace wkvq {

/// One cell of a table before any renderer: nothing, text, or a number with its error.
struct Cell {
  enum class Kind { kNothing, kText, kNumber };
  Kind kind = Kind::kNothing;
  std::string text;  ///< kText; of a number how it is shown, empty: as format_measurement() has it
  double value = NAN;
  double error = NAN;           ///< standard error; NaN where unknown
  int64_t n = 0;                ///< what the number stands on (tokens, items); 0 where it says none
  std::string note;             ///< which convention, where the column does not say: "[2]"
  int64_t stars = 0;            ///< of a difference: significant_stars()
  std::string convention = {};  ///< in words, where neither column nor note says it
};

Cell text_cell(const std::string& text);

/// A number shown as `text`.
Cell number_cell(double value, const std::string& text);

/// A number or a text, shown as format_attribute() has it; text may be empty.
Cell attribute_cell(const AttributeValue& value);

/// "7.50 ± 0.13 [2]" or the text, cut to `width`; "-" where there is nothing.
std::string text_of(const Cell& cell, size_t width = 40);

/// A table of typed cells. A header is the parts that renderers put on lines of their own or join.
struct Table {
  std::vector<std::vector<std::string>> headers;
  std::vector<std::vector<Cell>> rows;
  size_t key_columns = 0;  ///< the first columns: they say which row it is
  size_t text_width = 40;  ///< longer text is cut in its middle where tables are read
};

/// Ready to print, long text shortened; `wrap`: headers narrow, for a terminal.
TextTable text_table(const Table& table, bool wrap);

/// The same with narrow headers and each cell's stars behind it, for latex_text().
TextTable starred_table(const Table& table);

}  // namespace wkvq
