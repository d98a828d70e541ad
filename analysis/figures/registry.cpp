#include <algorithm>
#include <set>

#include "analysis/figures/figure.h"
#include "analysis/read/report_columns.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

constexpr size_t kLabelWidth = 64;
constexpr size_t kMostColours = 8;
constexpr size_t kMostSettings = 6;  ///< in a label; of more the run's id says it better

/// The settings in which runs differ.
std::vector<ReportColumn> setting_columns(const std::vector<RunSummary>& runs) {
  std::vector<std::string> ignored;
  std::vector<ReportColumn> columns = default_columns(runs, ignored);
  std::erase_if(columns, [](const ReportColumn& column) {
    return column.kind != ReportColumn::Kind::kConfig;
  });
  shorten_labels(columns);
  return columns;
}

/// "kv.bits 4"; empty where the run has no such setting.
std::string setting_text(const RunSummary& run, const ReportColumn& column) {
  const auto value = value_of(run, column);
  return value ? column.label + " " + format_attribute(*value) : "";
}

}  // namespace

const std::vector<Figure>& figures() {
  static const std::vector<Figure> kFigures{
      {"pareto", "Size against loss",
       "Each point is a run: what it stores against what it loses. The line joins the runs that no "
       "other beats in both.",
       pareto_figure},
      {"position", "Loss by position",
       "The mean over windows at each part of the window; bars are standard errors over windows.",
       position_figure},
      {"context", "Increase along the context",
       "Task context_curve: the increase of the NLL over the full-precision run on the same text, "
       "paired window by window, by position.",
       context_figure},
      {"trajectory", "Errors while writing",
       "Task trajectory: the quantized model follows what full precision wrote, and writes its own "
       "text; bars are standard errors over prompts.",
       trajectory_figure},
      {"heads", "Error by block and head",
       "The relative error (Frobenius) that quantizing leaves in each head, on up to 128 tokens of "
       "the first text. Darker is worse; the worst is outlined.",
       heads_figure},
      {"channels", "Magnitude of channels",
       "The largest magnitude of each channel of keys and values, on up to 128 tokens of the first "
       "text. Stripes are outlier channels, which cost a shared scale its resolution.",
       channels_figure},
      {"training", "Training loss",
       "The loss of each block by epoch, relative to its first epoch; later blocks are darker.",
       training_figure},
      {"bits", "Bits by place",
       "The bits that method mixed gave to each part of each block; parts that it quantized "
       "nowhere are "
       "left out.",
       bits_figure},
      {"phases", "Time by phase", "The seconds that a run spent in each of its phases.",
       phases_figure},
  };
  return kFigures;
}

const Figure& figure_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Figure& figure : figures()) {
    if (figure.name == name) return figure;
    names.emplace_back(figure.name);
  }
  config_error("no figure '{}'{}", shown(name), suggestion(name, names, "figures"));
}

FigureInput figure_input(const std::vector<RunSummary>& runs) {
  FigureInput input;
  const std::vector<ReportColumn> columns = setting_columns(runs);
  const auto coloured = std::ranges::find_if(columns, [&](const ReportColumn& column) {
    std::set<std::string> values;
    for (const RunSummary& run : runs) values.insert(setting_text(run, column));
    return values.size() <= kMostColours;
  });
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].status != "done") continue;
    std::string label;
    if (columns.size() <= kMostSettings)
      for (const ReportColumn& column : columns)
        if (const std::string text = setting_text(runs[i], column); !text.empty())
          label += (label.empty() ? "" : ", ") + text;
    input.runs.push_back(&runs[i]);
    input.labels.push_back(
        shortened(printable(label.empty() ? runs[i].run_id : label), kLabelWidth));
    input.groups.push_back(
        coloured == columns.end()
            ? "runs"
            : shortened(printable(setting_text(runs[i], *coloured)), kLabelWidth));
    input.places.push_back(static_cast<int64_t>(i));
  }
  return input;
}

}  // namespace wkvq
