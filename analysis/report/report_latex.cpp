#include "analysis/report/report_latex.h"

#include <fmt/format.h>

#include "analysis/compare/significance.h"
#include "analysis/tables/latex_text.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

std::string caption_of(const Report& report) {
  std::string text = "Standard errors behind ±.";
  for (size_t i = 0; i < report.conventions.size(); ++i)
    text += fmt::format(" [{}] {}.", i + 1, printable(report.conventions[i]));
  for (const std::string& note : report.differences.notes)
    text += fmt::format(" {}.", printable(note));
  if (!report.differences.found.empty()) text += fmt::format(" {}", stars_legend());
  return text;
}

}  // namespace

void print_latex(const Report& report, std::ostream& out) {
  std::vector<const RunSummary*> runs;
  for (const RunSummary& run : report.runs) runs.push_back(&run);
  const TextTable text = starred_table(table_of(report, runs, report.columns));
  out << latex_text(text, caption_of(report));
}

}  // namespace wkvq
