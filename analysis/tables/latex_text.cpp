#include "analysis/tables/latex_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace wkvq {
namespace {

/// The longest first: what it begins with decides.
constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
    {"±", "$\\pm$"},    {"…", "\\ldots{}"},
    {"||", "$\\Vert$"}, {"\\", "\\textbackslash{}"},
    {"{", "\\{"},       {"}", "\\}"},
    {"$", "\\$"},       {"&", "\\&"},
    {"#", "\\#"},       {"^", "\\textasciicircum{}"},
    {"_", "\\_"},       {"~", "\\textasciitilde{}"},
    {"%", "\\%"},       {"<", "$<$"},
    {">", "$>$"},       {"|", "$|$"},
};

std::string cell_text(const std::string& cell) {
  const size_t end = cell.find_last_not_of('*') + 1;
  const bool negative =
      end > 1 && cell[0] == '-' && std::isdigit(static_cast<unsigned char>(cell[1]));
  const std::string text = (negative ? "$-$" : "") +
                           latex_escaped(cell.substr(negative ? 1 : 0, negative ? end - 1 : end));
  return end == cell.size() ? text : text + "$^{" + cell.substr(end) + "}$";
}

/// One row; cells are LaTeX already.
std::string row_text(const std::vector<std::string>& cells) {
  return fmt::format("{} \\\\\n", fmt::join(cells, " & "));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const char letter : text)
    if (letter == '\n')
      lines.emplace_back();
    else
      lines.back() += letter;
  return lines;
}

std::string header_rows(const std::vector<std::string>& headers) {
  size_t height = 1;
  for (const std::string& header : headers) height = std::max(height, lines_of(header).size());
  std::string rows;
  for (size_t line = 0; line < height; ++line) {
    std::vector<std::string> cells;
    for (const std::string& header : headers) {
      const std::vector<std::string> lines = lines_of(header);
      // The last lines stand side by side.
      const size_t above = height - lines.size();
      cells.push_back(line < above ? "" : latex_escaped(lines[line - above]));
    }
    rows += row_text(cells);
  }
  return rows;
}

}  // namespace

std::string latex_escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto* found = std::ranges::find_if(
        kEscapes, [&](const auto& escape) { return text.starts_with(escape.first); });
    const bool special = found != std::end(kEscapes);
    result += special ? found->second : text.substr(0, 1);
    text.remove_prefix(special ? found->first.size() : 1);
  }
  return result;
}

std::string latex_text(const TextTable& table, const std::string& caption) {
  std::string columns(table.headers.size(), 'r');
  std::fill_n(columns.begin(), std::min(table.key_columns, columns.size()), 'l');
  std::string text = "% \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\begin{tabular}{" +
                     columns + "}\n\\toprule\n" + header_rows(table.headers) + "\\midrule\n";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (const std::string& cell : row) cells.push_back(cell_text(cell));
    text += row_text(cells);
  }
  return text + "\\bottomrule\n\\end{tabular}\n\\caption{" + latex_escaped(caption) +
         "}\n\\end{table}\n";
}

}  // namespace wkvq
