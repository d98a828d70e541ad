#include "analysis/report/report_csv.h"

#include <algorithm>

#include "analysis/tables/format_number.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

std::string exact(const std::optional<AttributeValue>& value) {
  if (!value) return "";
  const auto* real = std::get_if<double>(&*value);
  return real ? format_exact(*real) : format_attribute(*value);
}

/// The columns, each name once: numbers of one name say beside them what they are.
std::vector<ReportColumn> unique_columns(std::vector<ReportColumn> columns,
                                         const std::optional<ReportColumn>& key) {
  if (key) columns.insert(columns.begin(), *key);
  std::vector<ReportColumn> unique;
  for (const ReportColumn& column : columns)
    if (std::ranges::none_of(unique, [&](const ReportColumn& other) {
          return other.kind == column.kind && other.name == column.name;
        }))
      unique.push_back(column);
  return unique;
}

std::string header_line(const std::vector<ReportColumn>& columns) {
  std::vector<std::string> line;
  for (const ReportColumn& column : columns) {
    if (column.kind == Kind::kDifference) {
      for (const char* part : {".difference", ".difference_stderr", ".difference_unit"})
        line.push_back(column.name + part);
      continue;
    }
    line.push_back(column.name);
    if (column.kind != Kind::kEvaluation) continue;
    for (const char* part : {"stderr", "n", "metric", "dataset", "kv_mode", "convention"})
      line.push_back(column.name + "." + part);
  }
  return csv_line(line);
}

void add_number(std::vector<std::string>& line, const Evaluation* e) {
  if (!e)
    line.insert(line.end(), 7, "");
  else
    line.insert(line.end(), {format_exact(e->value), format_exact(e->stderr_), std::to_string(e->n),
                             e->metric, e->dataset, e->kv_mode, e->convention});
}

void add_difference(std::vector<std::string>& line, const Comparison* one) {
  if (!one)
    line.insert(line.end(), 3, "");
  else
    line.insert(line.end(), {format_exact(one->difference.value),
                             format_exact(one->difference.standard_error), unit_of(*one)});
}

std::string row_of(const Report& report, const RunSummary& run,
                   const std::vector<ReportColumn>& columns) {
  std::vector<std::string> line;
  for (const ReportColumn& column : columns) {
    const auto found = std::ranges::find(run.evaluations, column.name, &Evaluation::name);
    const Evaluation* e = found == run.evaluations.end() ? nullptr : &*found;
    if (column.kind == Kind::kEvaluation)
      add_number(line, e);
    else if (column.kind == Kind::kDifference)
      add_difference(line, report.differences.of(run, e));
    else
      line.push_back(exact(value_of(run, column)));
  }
  return csv_line(line);
}

}  // namespace

void print_csv(const Report& report, const std::optional<ReportColumn>& key, std::ostream& out) {
  const std::vector<ReportColumn> columns = unique_columns(report.columns, key);
  out << header_line(columns);
  if (!key) {
    for (const RunSummary& run : report.runs) out << row_of(report, run, columns);
    return;
  }
  std::vector<const RunSummary*> all;
  for (const RunSummary& run : report.runs) all.push_back(&run);
  for (const auto& value : values_of(all, *key))
    for (const RunSummary* run : all)
      if (value_of(*run, *key) == value) out << row_of(report, *run, columns);
}

}  // namespace wkvq
