#pragma once

#include <string>
#include <vector>

#include "analysis/figures/plot.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// The finished runs that figures are drawn of, and what each is called.
struct FigureInput {
  std::vector<const RunSummary*> runs;
  std::vector<std::string> labels;
  std::vector<std::string> groups;  ///< the value of one setting that few runs differ in: a colour
  std::vector<int64_t> places;      ///< of each run in the report's table; Point::run
};

/// Runs that are done, each labelled by the settings in which they differ, or by its id.
FigureInput figure_input(const std::vector<RunSummary>& runs);

/// One picture of runs. `make` reads their files; ConfigError where one cannot be read.
struct Figure {
  const char* name;   ///< on the command line
  const char* title;  ///< of its section
  const char* about;  ///< how to read it, in whole sentences
  FigureResult (*make)(const FigureInput& input);
};

/// All figures, in the order of a report.
const std::vector<Figure>& figures();

/// ConfigError, with the nearest name, where there is none.
const Figure& figure_named(const std::string& name);

FigureResult pareto_figure(const FigureInput& input);
FigureResult position_figure(const FigureInput& input);
FigureResult context_figure(const FigureInput& input);
FigureResult trajectory_figure(const FigureInput& input);
FigureResult heads_figure(const FigureInput& input);
FigureResult channels_figure(const FigureInput& input);
FigureResult training_figure(const FigureInput& input);
FigureResult bits_figure(const FigureInput& input);
FigureResult phases_figure(const FigureInput& input);

}  // namespace wkvq
