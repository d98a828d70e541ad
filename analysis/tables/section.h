#pragma once

#include <string>
#include <vector>

#include "analysis/tables/table.h"

namespace wkvq {

/// A table with what stands above and below it.
struct Section {
  std::string title;
  Table table = {};
  std::vector<std::string> notes = {};  ///< whole sentences
};

/// table, markdown, csv, json, latex.
const std::vector<std::string>& section_formats();

/// ConfigError, naming the formats, where `format` is none of them; `command` asked for it.
void require_section_format(const std::string& command, const std::string& format);

/// `sections` in one of section_formats(); those without rows and notes are left out.
/// - table, markdown: titles, tables as on a terminal, notes
/// - csv: one line a cell: section, row, column, value, error, n, convention; numbers exact
/// - json: {"sections": [{"title", "columns", "rows", "notes"}]}; a number is {"value", "error",
///   "n", "convention"} as far as it has them, or bare; null where there is nothing, "inf" and
///   "-inf" as text
/// - latex: one table each for package booktabs, title, notes and conventions in its caption
std::string sections_text(const std::vector<Section>& sections, const std::string& format);

}  // namespace wkvq
