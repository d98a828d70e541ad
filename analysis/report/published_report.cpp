#include "analysis/report/published_report.h"

#include <fmt/format.h>

#include "analysis/published/published_match.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/latex_text.h"
#include "analysis/tables/text_width.h"

namespace wkvq {

namespace {

constexpr size_t kCellWidth = 48;
constexpr const char* kLegend =
    "[R] repository of the authors, [P] paper, [2] secondary notes, [?] weak; same model (by the "
    "name of its folder), method, bits, groups, KV mode, text and context";

std::string without_number(const NumberSetting& setting) {
  if (setting.method == "wkvquant")
    return "WKVQuant's own tables are known from notes, as wkvquant_published";
  return "none of this setting";
}

std::string source_of(const PublishedNumber& number) {
  return fmt::format("{} [{}]{}", number.source, number.tag,
                     number.is_target() ? "" : ", not a target");
}

}  // namespace

TextTable published_table(const std::vector<RunSummary>& runs,
                          const std::vector<PublishedNumber>& numbers) {
  TextTable table{{"run", "evaluation", "here", "published", "source", "note"}, {}, 2};
  for (const RunSummary& run : runs) {
    if (run.status != "done") continue;
    for (const Evaluation& evaluation : run.evaluations) {
      const NumberSetting setting = setting_of(run, evaluation);
      const std::vector<std::string> known{
          shortened(printable(run.run_id), kCellWidth),
          shortened(printable(evaluation.name), kCellWidth),
          format_measurement(evaluation.value, evaluation.stderr_)};
      const auto add = [&](const std::vector<std::string>& cells) {
        table.rows.push_back(known);
        table.rows.back().insert(table.rows.back().end(), cells.begin(), cells.end());
      };
      const auto found = matching(numbers, setting);
      for (const PublishedNumber* number : found)
        add({format_exact(number->value), source_of(*number), number->note});
      if (found.empty()) add({"-", without_number(setting), ""});
    }
  }
  return table;
}

std::string published_legend() {
  return kLegend;
}

void print_published(const std::vector<RunSummary>& runs, const ReportOptions& options,
                     std::ostream& out) {
  const bool markdown = options.format == "markdown";
  const TextTable table = published_table(runs, published_numbers());
  if (options.format == "latex") {
    out << "\n" << latex_text(table, std::string("Published numbers. ") + kLegend + ".");
    return;
  }
  out << (markdown ? "\n### Published numbers\n\n" : "\nPublished numbers\n\n")
      << (markdown ? markdown_text(table) : terminal_text(table, options.width)) << "\n"
      << kLegend << "\n";
}

}  // namespace wkvq
