#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/figure.h"
#include "analysis/read/number_column.h"

namespace wkvq {
namespace {

constexpr size_t kMostRuns = 6;

/// Without series where the run did not train.
Curves curves_of(const RunSummary& run, int64_t place) {
  const hdf5::Reader file(run.path);
  Curves curves{{"epoch"}, {"loss / loss of the first epoch", true}, {}};
  const std::vector<std::string> blocks = block_groups(file, "/calibration");
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::vector<double> losses = number_column(file, "/calibration/" + blocks[i], "loss");
    if (losses.size() < 2) continue;
    const double shade = blocks.size() < 2 ? 1 : static_cast<double>(i) / (blocks.size() - 1.0);
    Series series{.name = blocks[i], .markers = false, .shade = shade};
    for (size_t epoch = 0; epoch < losses.size(); ++epoch)
      series.points.push_back(
          {static_cast<double>(epoch + 1), losses[epoch] / losses[0], NAN, blocks[i], place});
    curves.series.push_back(std::move(series));
  }
  return curves;
}

}  // namespace

FigureResult training_figure(const FigureInput& input) {
  FigureResult result;
  for (size_t i = 0; i < input.runs.size(); ++i)
    if (Curves curves = curves_of(*input.runs[i], input.places[i]); !curves.series.empty())
      result.panels.push_back({input.labels[i], "One line a block.", std::move(curves)});
  result.note = keep_first(result.panels, kMostRuns);
  if (result.panels.empty()) result.absent = "No finished run trained for two epochs or more.";
  return result;
}

}  // namespace wkvq
