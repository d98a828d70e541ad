#include <fmt/format.h>

#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/figure.h"
#include "analysis/read/number_column.h"

namespace wkvq {
namespace {

constexpr size_t kMostRuns = 4;

struct Part {
  const char* group;
  const char* array;
  const char* title;
  const char* column;
};

constexpr Part kParts[] = {{"key", "head_error", "keys", "kv head"},
                           {"value", "head_error", "values", "kv head"},
                           {"heads", "logit_error", "attention's logits", "query head"},
                           {"heads", "output_error", "attention's output", "query head"}};

/// "Worst: block 4, kv head 2, 0.31."
std::string worst_of(const HeatMap& map) {
  size_t row = 0, column = 0;
  double worst = -1;
  for (size_t i = 0; i < map.values.size(); ++i)
    for (size_t k = 0; k < map.values[i].size(); ++k)
      if (map.values[i][k] > worst) {
        worst = map.values[i][k];
        row = i;
        column = k;
      }
  return fmt::format("Worst: {} {}, {} {}, relative error {:.3g}.", map.row_label, map.rows[row],
                     map.column_label, map.columns[column], worst);
}

/// Without rows where the run has no such statistics.
HeatMap map_of(const hdf5::Reader& file, const Part& part) {
  HeatMap map{"block", part.column, "relative error", {}, {}, {}};
  size_t heads = 0;
  for (const std::string& block : block_groups(file, "/statistics")) {
    const Array errors = number_array(file, "/statistics/" + block + "/" + part.group, part.array);
    if (errors.values.empty()) continue;
    map.rows.push_back(block.substr(std::string("block_").size()));
    map.values.push_back(errors.values);
    heads = std::max(heads, errors.values.size());
  }
  for (auto& row : map.values) row.resize(heads, NAN);
  for (size_t i = 0; i < heads; ++i) map.columns.push_back(std::to_string(i));
  return map;
}

std::vector<Panel> panels_of(const RunSummary& run, const std::string& label) {
  const hdf5::Reader file(run.path);
  std::vector<Panel> panels;
  for (const Part& part : kParts)
    if (const HeatMap map = map_of(file, part); !map.rows.empty())
      panels.push_back({label + ": " + part.title, worst_of(map), map});
  return panels;
}

}  // namespace

FigureResult heads_figure(const FigureInput& input) {
  std::vector<std::vector<Panel>> runs;
  for (size_t i = 0; i < input.runs.size(); ++i)
    if (auto panels = panels_of(*input.runs[i], input.labels[i]); !panels.empty())
      runs.push_back(std::move(panels));
  FigureResult result;
  result.note = keep_first(runs, kMostRuns);
  for (auto& panels : runs)
    for (Panel& panel : panels) result.panels.push_back(std::move(panel));
  if (result.panels.empty())
    result.absent =
        "No finished run with a quantized cache has errors by head; runs of earlier versions have "
        "none.";
  return result;
}

}  // namespace wkvq
