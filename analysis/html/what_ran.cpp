#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/html/sections.h"
#include "analysis/read/load_runs.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/markup.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Values = std::vector<std::string>;

constexpr size_t kMostValues = 8;

void add_once(Values& values, const AttributeValue* value) {
  if (!value) return;
  const std::string text = format_attribute(*value);
  if (!text.empty() && std::ranges::count(values, text) == 0) values.push_back(text);
}

const AttributeValue* fact(const RunSummary& run, const std::string& name) {
  for (const auto& [key, value] : run.attributes)
    if (key == name) return &value;
  return nullptr;
}

std::string row(const std::string& name, const Values& values) {
  if (values.empty()) return {};
  std::string text;
  for (size_t i = 0; i < std::min(values.size(), kMostValues); ++i)
    text += (i == 0 ? "<bdi>" : ", <bdi>") + escaped(values[i]) + "</bdi>";
  if (values.size() > kMostValues) text += fmt::format(" and {} more", values.size() - kMostValues);
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, text);
}

/// Values of the runs, each once: of a setting where `key` has a dot, else of a fact.
Values values_of(const std::vector<RunSummary>& runs, const std::string& key) {
  Values values;
  for (const RunSummary& run : runs)
    add_once(values, key.find('.') == std::string::npos ? fact(run, key) : config_value(run, key));
  return values;
}

std::string times(const std::vector<RunSummary>& runs) {
  Values started = values_of(runs, "started"), finished = values_of(runs, "finished");
  if (started.empty() || finished.empty()) return {};
  // ISO 8601 in UTC: the order of letters is that of time.
  return fmt::format("<div><dt>Time</dt><dd>{} to {}</dd></div>\n",
                     escaped(*std::ranges::min_element(started)),
                     escaped(*std::ranges::max_element(finished)));
}

std::string counts(const std::vector<RunSummary>& runs) {
  std::map<std::string, int> by_status;
  for (const RunSummary& run : runs) ++by_status[run.status];
  Values texts;
  for (const auto& [status, count] : by_status)
    texts.push_back(fmt::format("{} {}", count, status));
  return row("Runs", texts);
}

/// Every warning once, with how many runs had it.
std::map<std::string, int> warnings_of(const std::vector<RunSummary>& runs) {
  std::map<std::string, int> warnings;
  for (const RunSummary& run : runs) {
    if (run.status != "done") continue;
    const hdf5::Reader file(run.path);
    if (std::ranges::count(file.datasets("/warnings"), "text") == 0) continue;
    const Column column = file.column("/warnings", "text");
    if (const auto* texts = std::get_if<std::vector<std::string>>(&column))
      for (const std::string& text : *texts) ++warnings[text];
  }
  return warnings;
}

}  // namespace

std::string what_ran(const Report& report) {
  const auto& runs = report.runs;
  std::string html = "<dl class=\"facts\">\n" + counts(runs);
  for (const auto& [key, name] :
       std::vector<std::pair<std::string, std::string>>{{"sweep", "Sweep"},
                                                        {"model.path", "Model"},
                                                        {"model.dtype", "Data type"},
                                                        {"method.name", "Method"},
                                                        {"git", "Commit of wkvq"},
                                                        {"device", "Device"},
                                                        {"cpu", "Processor"},
                                                        {"threads", "Threads"},
                                                        {"compiler", "Compiler"},
                                                        {"torch", "libtorch"}})
    html += row(name, values_of(runs, key));
  html += times(runs) + "</dl>\n";
  if (report.conventions.empty()) return html;
  html += "<h3>Conventions</h3>\n<ol class=\"conventions\">\n";
  for (const std::string& convention : report.conventions)
    html += "<li><bdi>" + escaped(convention) + "</bdi></li>\n";
  return html + "</ol>\n";
}

std::string problems(const Report& report) {
  std::string failed, notes;
  for (const RunSummary& run : report.runs)
    if (!run.error.empty())
      failed += fmt::format("<li><bdi>{}</bdi>: {}: <bdi>{}</bdi></li>\n", escaped(run.run_id),
                            escaped(run.status), escaped(run.error));
  const std::map<std::string, int> warnings = warnings_of(report.runs);
  for (const auto& [text, count] : warnings)
    notes += fmt::format("<li>Warning of {} {}: <bdi>{}</bdi></li>\n", count,
                         count == 1 ? "run" : "runs", escaped(text));
  for (const std::string& same : report.same_as)
    notes += fmt::format("<li>Equal in every run: {}</li>\n", escaped(same));
  std::string html;
  if (!failed.empty()) html += "<h3>Not finished</h3>\n<ul class=\"notes\">\n" + failed + "</ul>\n";
  if (notes.empty()) return html;
  std::string summary;
  const auto count = [&summary](size_t number, const char* one, const char* many) {
    if (number == 0) return;
    summary +=
        fmt::format("{}{} {}", summary.empty() ? "" : ", ", number, number == 1 ? one : many);
  };
  count(warnings.size(), "warning", "warnings");
  count(report.same_as.size(), "setting that says the same as another",
        "settings that say the same as others");
  return html +
         fmt::format("<details><summary>{}</summary>\n<ul class=\"notes\">\n{}</ul></details>\n",
                     summary, notes);
}

std::string plain_table(const TextTable& table, const std::string& caption) {
  std::string html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                     escaped(caption) + "\"><table>\n<caption>" + escaped(caption) +
                     "</caption>\n<thead><tr>";
  for (const std::string& header : table.headers)
    html += "<th scope=\"col\">" + escaped(header) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : table.rows) {
    html += "<tr>";
    for (const std::string& cell : cells) html += "<td><bdi>" + escaped(cell) + "</bdi></td>";
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace wkvq
