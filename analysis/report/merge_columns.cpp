#include "analysis/report/merge_columns.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

/// No run has both.
bool apart(const std::vector<RunSummary>& runs, const ReportColumn& a, const ReportColumn& b) {
  return std::ranges::none_of(
      runs, [&](const RunSummary& run) { return evaluation_of(run, a) && evaluation_of(run, b); });
}

/// How much `a` and `b` have in common.
int alike(const ReportColumn& a, const ReportColumn& b) {
  return (a.name == b.name) + (a.kv_mode == b.kv_mode) + (a.convention == b.convention);
}

/// The column that `column` may join and has most in common with; null where there is none.
ReportColumn* partner(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& kept,
                      const ReportColumn& column) {
  ReportColumn* best = nullptr;
  for (ReportColumn& other : kept)
    if (other.kind == Kind::kEvaluation && other.metric == column.metric &&
        other.dataset == column.dataset && apart(runs, other, column) &&
        (!best || alike(other, column) > alike(*best, column)))
      best = &other;
  return best;
}

/// The columns that say the KV modes of those `columns` that have them by row.
std::vector<ReportColumn> mode_columns(const std::vector<RunSummary>& runs,
                                       const std::vector<ReportColumn>& columns) {
  std::vector<ReportColumn> modes;
  for (const ReportColumn& column : columns) {
    if (!column.mode_by_row) continue;
    const auto agrees = [&](const ReportColumn& mode) {
      return std::ranges::all_of(runs, [&](const RunSummary& run) {
        const Evaluation* evaluation = evaluation_of(run, column);
        const auto shown = value_of(run, mode);
        return !evaluation || !shown || *shown == AttributeValue(evaluation->kv_mode);
      });
    };
    auto mode = std::ranges::find_if(modes, agrees);
    if (mode == modes.end()) mode = modes.insert(mode, plain_column(Kind::kMode, "kv mode"));
    mode->members.push_back(column.name);
    for (const ReportColumn& other : column.also)
      if (std::ranges::find(mode->members, other.name) == mode->members.end())
        mode->members.push_back(other.name);
  }
  if (modes.size() > 1)
    for (ReportColumn& mode : modes)
      mode.label = fmt::format("kv mode of {}", fmt::join(mode.members, ", "));
  return modes;
}

}  // namespace

void merge_columns(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns) {
  std::vector<ReportColumn> kept;
  for (ReportColumn& column : columns) {
    ReportColumn* into = column.kind == Kind::kEvaluation ? partner(runs, kept, column) : nullptr;
    if (!into) {
      kept.push_back(std::move(column));
      continue;
    }
    into->mode_by_row |= into->kv_mode != column.kv_mode;
    into->convention_by_row |= into->convention != column.convention;
    into->also.push_back(std::move(column));
  }
  columns = std::move(kept);
}

void add_mode_columns(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns) {
  const auto modes = mode_columns(runs, columns);
  const auto first = std::ranges::find_if(
      columns, [](const ReportColumn& column) { return column.kind == Kind::kEvaluation; });
  columns.insert(first, modes.begin(), modes.end());
}

}  // namespace wkvq
