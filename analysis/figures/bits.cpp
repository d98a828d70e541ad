#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/figure.h"
#include "analysis/read/number_column.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr size_t kMostRuns = 6;
constexpr double kFullPrecision = 16;
const std::string kGroup = "/calibration/bits";

std::vector<std::string> places_of(const hdf5::Reader& file) {
  if (std::ranges::count(file.datasets(kGroup), "place") == 0) return {};
  const Column column = file.column(kGroup, "place");
  const auto* places = std::get_if<std::vector<std::string>>(&column);
  if (!places) config_error("{}/place holds no text", kGroup);
  return *places;
}

size_t index_in(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

/// Parts down, blocks across; without rows where the run has no bits by place.
HeatMap map_of(const hdf5::Reader& file) {
  HeatMap map{"part", "block", "bits", {}, {}, {}, true};
  const std::vector<std::string> places = places_of(file);
  const std::vector<double> bits = number_column(file, kGroup, "bits");
  if (bits.size() != places.size()) config_error("columns of {} differ in length", kGroup);
  std::map<std::pair<size_t, size_t>, double> cells;
  for (size_t i = 0; i < places.size(); ++i) {
    const size_t slash = places[i].find('/');
    if (!places[i].starts_with("block_") || slash == std::string::npos) continue;
    const size_t row = index_in(map.rows, places[i].substr(slash + 1));
    cells[{row, index_in(map.columns, places[i].substr(6, slash - 6))}] = bits[i];
  }
  map.values.assign(map.rows.size(), std::vector<double>(map.columns.size(), NAN));
  for (const auto& [cell, value] : cells) map.values[cell.first][cell.second] = value;
  // What is nowhere quantized hides what is.
  for (size_t row = map.rows.size(); row-- > 0;) {
    if (std::ranges::any_of(map.values[row], [](double one) { return one < kFullPrecision; }))
      continue;
    map.rows.erase(map.rows.begin() + static_cast<std::ptrdiff_t>(row));
    map.values.erase(map.values.begin() + static_cast<std::ptrdiff_t>(row));
  }
  return map;
}

}  // namespace

FigureResult bits_figure(const FigureInput& input) {
  FigureResult result;
  for (size_t i = 0; i < input.runs.size(); ++i)
    if (HeatMap map = map_of(hdf5::Reader(input.runs[i]->path)); !map.rows.empty())
      result.panels.push_back({input.labels[i], "", std::move(map)});
  result.note = keep_first(result.panels, kMostRuns);
  if (result.panels.empty()) result.absent = "No finished run of method mixed has bits by place.";
  return result;
}

}  // namespace wkvq
