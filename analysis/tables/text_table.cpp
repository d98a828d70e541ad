#include "analysis/tables/text_table.h"

#include <algorithm>
#include <numeric>

#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

constexpr size_t kGap = 2;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0;;) {
    const size_t stop = text.find('\n', at);
    lines.push_back(text.substr(at, stop - at));
    if (stop == std::string::npos) return lines;
    at = stop + 1;
  }
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string space(width - std::min(width, display_width(text)), ' ');
  return right ? space + text : text + space;
}

bool is_numeric(const TextTable& table, size_t column) {
  bool any = false;
  for (const auto& row : table.rows) {
    const std::string& cell = row[column];
    if (cell.empty() || cell == "-") continue;
    const size_t first = cell.find_first_not_of("+-.");
    const bool digit = first < cell.size() && cell[first] >= '0' && cell[first] <= '9';
    const bool special = cell == "nan" || cell == "inf" || cell == "-inf" ||
                         cell.starts_with("not finite") || cell.starts_with("unknown (nan)");
    if (!digit && !special) return false;
    any = true;
  }
  return any;
}

std::vector<size_t> widths_of(const TextTable& table) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.headers.size(); ++i) {
    size_t width = 0;
    for (const std::string& line : lines_of(table.headers[i]))
      width = std::max(width, display_width(line));
    for (const auto& row : table.rows) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  return widths;
}

std::string block(const TextTable& table, const std::vector<size_t>& columns) {
  const std::vector<size_t> widths = widths_of(table);
  std::vector<std::vector<std::string>> headers;
  size_t height = 0;
  for (size_t i : columns) {
    headers.push_back(lines_of(table.headers[i]));
    height = std::max(height, headers.back().size());
  }
  std::string text;
  const auto line = [&](auto&& cell) {
    std::string result;
    for (size_t k = 0; k < columns.size(); ++k) {
      if (k) result.append(kGap, ' ');
      result += padded(cell(k), widths[columns[k]], is_numeric(table, columns[k]));
    }
    text += result.substr(0, result.find_last_not_of(' ') + 1) + "\n";
  };
  // Headers stand on the rule: short ones start lower.
  for (size_t h = 0; h < height; ++h)
    line([&](size_t k) {
      const size_t skip = height - headers[k].size();
      return h < skip ? std::string() : headers[k][h - skip];
    });
  line([&](size_t k) { return std::string(widths[columns[k]], '-'); });
  for (const auto& row : table.rows) line([&](size_t k) { return row[columns[k]]; });
  return text;
}

/// Groups of columns that fit beside the `keys` first ones.
std::vector<std::vector<size_t>> split(const std::vector<size_t>& widths, size_t keys,
                                       size_t width) {
  std::vector<size_t> first(keys);
  std::iota(first.begin(), first.end(), size_t{0});
  size_t key_width = 0;
  for (size_t i : first) key_width += widths[i] + kGap;
  std::vector<std::vector<size_t>> groups{first};
  size_t used = key_width;
  for (size_t i = keys; i < widths.size(); ++i) {
    if (groups.back().size() > keys && used + widths[i] > width) {
      groups.push_back(first);
      used = key_width;
    }
    groups.back().push_back(i);
    used += widths[i] + kGap;
  }
  return groups;
}

TextTable numbered(const TextTable& table) {
  TextTable result{table.headers, table.rows, 1};
  result.headers.insert(result.headers.begin(), "#");
  for (size_t i = 0; i < result.rows.size(); ++i)
    result.rows[i].insert(result.rows[i].begin(), std::to_string(i + 1));
  return result;
}

std::string escaped(const std::string& cell) {
  std::string result;
  for (char c : cell) {
    if (c == '|' || c == '\\' || c == '<') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string terminal_text(const TextTable& table, size_t width) {
  const std::vector<size_t> widths = widths_of(table);
  size_t keys_width = 0;
  size_t widest_other = 0;
  for (size_t i = 0; i < widths.size(); ++i) {
    if (i < table.key_columns)
      keys_width += widths[i] + kGap;
    else
      widest_other = std::max(widest_other, widths[i]);
  }
  const bool too_wide = keys_width + widest_other > width;
  if (too_wide && table.key_columns > 1) return terminal_text(numbered(table), width);
  std::string text;
  for (const auto& columns : split(widths, table.key_columns, width))
    text.append(text.empty() ? "" : "\n").append(block(table, columns));
  return text;
}

std::string markdown_text(const TextTable& table) {
  std::string text = "|";
  for (const std::string& header : table.headers) {
    std::string joined;
    for (const std::string& line : lines_of(header)) {
      if (!joined.empty()) joined += ", ";
      joined += line;
    }
    text.append(" ").append(escaped(joined)).append(" |");
  }
  text += "\n|";
  for (size_t i = 0; i < table.headers.size(); ++i)
    text += is_numeric(table, i) ? " ---: |" : " --- |";
  text += "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const std::string& cell : row) text.append(" ").append(escaped(cell)).append(" |");
    text += "\n";
  }
  return text;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i) line += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (char c : cells[i]) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\n";
}

}  // namespace wkvq
