#pragma once

#include <string>
#include <vector>

namespace wkvq {

/// Cells ready to print. A header may have several lines.
struct TextTable {
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> rows;
  size_t key_columns = 0;  ///< the first columns: they say which row it is
};

/// Aligned for a terminal of `width` columns; columns of numbers to the right. A table that is too
/// wide continues below itself with its key columns repeated or, where these alone are too wide,
/// with rows numbered.
std::string terminal_text(const TextTable& table, size_t width);

/// A GitHub-flavoured Markdown table; header lines are joined by ", ".
std::string markdown_text(const TextTable& table);

/// One line of RFC 4180 with its line break.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace wkvq
