#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/html/sections.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/markup.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

constexpr size_t kMostFilters = 6, kMostChoices = 12;

/// What a column sorts by: numbers as they are, text as text.
std::string sort_value(const RunSummary& run, const ReportColumn& column, const Cell& cell) {
  if (cell.kind == Cell::Kind::kNothing) return {};
  if (cell.kind == Cell::Kind::kNumber)
    return std::isfinite(cell.value) ? format_exact(cell.value) : std::string();
  const auto value = value_of(run, column);
  if (const auto* real = value ? std::get_if<double>(&*value) : nullptr) return format_exact(*real);
  return cell.text;
}

std::string cell_html(const RunSummary& run, const ReportColumn& column, const Cell& cell) {
  const bool number = cell.kind == Cell::Kind::kNumber;
  const std::string text = number ? text_of(cell) : cell.text.empty() ? "–" : cell.text;
  const std::string tag = column.kind == Kind::kConfig ? "th scope=\"row\"" : "td";
  return fmt::format("<{}{} data-v=\"{}\"><bdi>{}</bdi></{}>", tag, number ? " class=\"n\"" : "",
                     escaped(sort_value(run, column, cell)), escaped(text), tag.substr(0, 2));
}

std::string header_html(const Report& report, const ReportColumn& column) {
  std::string lines;
  for (const std::string& part : header_of(report, column))
    lines += (lines.empty() ? "" : "<br>") + escaped(part);
  return "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">" + lines + "</button></th>";
}

/// A menu for a setting of few values; empty where it has one or many.
std::string filter_html(const Report& report, size_t index) {
  std::vector<std::string> texts;
  for (const RunSummary& run : report.runs) {
    const Cell cell = cell_of(report, run, report.columns[index]);
    if (std::ranges::count(texts, cell.text) == 0) texts.push_back(cell.text);
  }
  if (texts.size() < 2 || texts.size() > kMostChoices) return {};
  std::string html =
      fmt::format("<label>{} <select data-column=\"{}\"><option value=\"\">any</option>",
                  escaped(report.columns[index].label), index);
  for (const std::string& text : texts)
    if (!text.empty()) html += fmt::format("<option value=\"{0}\">{0}</option>", escaped(text));
  return html + "</select></label>\n";
}

std::string controls(const Report& report) {
  std::string html =
      "<div class=\"controls\">\n<label>Baseline <select id=\"baseline\"><option value=\"\">none"
      "</option></select></label>\n<label>Search <input id=\"search\" type=\"search\" "
      "placeholder=\"words of a row\"></label>\n";
  size_t filters = 0;
  for (size_t i = 0; i < report.columns.size() && filters < kMostFilters; ++i) {
    if (report.columns[i].kind != Kind::kConfig) continue;
    const std::string filter = filter_html(report, i);
    filters += !filter.empty();
    html += filter;
  }
  return html +
         "<button type=\"button\" id=\"clear\">Show all</button>\n"
         "<output id=\"count\" aria-live=\"polite\"></output>\n</div>\n";
}

}  // namespace

std::string runs_table(const Report& report) {
  std::string html =
      controls(report) +
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of runs\">\n"
      "<table id=\"runs\">\n<caption>One row a run. Numbers carry their standard error; [1] and "
      "the "
      "like name their convention above. Buttons in the header sort.</caption>\n<thead><tr>";
  for (const ReportColumn& column : report.columns) html += header_html(report, column);
  html += "</tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < report.runs.size(); ++i) {
    html += fmt::format("<tr data-run=\"{}\">", i);
    for (const ReportColumn& column : report.columns)
      html += cell_html(report.runs[i], column, cell_of(report, report.runs[i], column));
    html += "</tr>\n";
  }
  return html +
         "</tbody></table></div>\n<noscript><p>Sorting, filtering and differences to a "
         "baseline need JavaScript.</p></noscript>\n";
}

}  // namespace wkvq
