#include <fmt/format.h>
#include <algorithm>
#include <set>

#include "analysis/figures/figure.h"
#include "analysis/read/number_column.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr size_t kMostModels = 3;
/// More do not fit a picture; neighbours share a column then.
constexpr size_t kMostColumns = 256;

/// max(|min|, |max|) of each channel, neighbours joined by their largest.
std::vector<double> magnitudes(const Array& low, const Array& high) {
  if (low.values.size() != high.values.size()) config_error("channels differ in number");
  const size_t channels = low.values.size();
  const size_t joined = (channels + kMostColumns - 1) / kMostColumns;
  std::vector<double> result((channels + joined - 1) / joined, 0.0);
  for (size_t i = 0; i < channels; ++i)
    result[i / joined] =
        std::max({result[i / joined], std::abs(low.values[i]), std::abs(high.values[i])});
  return result;
}

std::string joined_note(size_t channels, size_t columns) {
  if (columns == channels) return {};
  return fmt::format(" Neighbouring channels share a column: {} channels, {} columns.", channels,
                     columns);
}

/// Without drawing where the run has no statistics of `side`.
Panel panel_of(const hdf5::Reader& file, const std::string& side, const std::string& label) {
  HeatMap map{"block", "channel", "largest magnitude", {}, {}, {}};
  size_t channels = 0, widest = 0;
  double largest = 0;
  std::vector<double> all;
  for (const std::string& block : block_groups(file, "/statistics")) {
    const std::string group = "/statistics/" + block + "/" + side;
    const Array low = number_array(file, group, "min");
    if (low.values.empty()) continue;
    map.rows.push_back(block.substr(std::string("block_").size()));
    map.values.push_back(magnitudes(low, number_array(file, group, "max")));
    channels = std::max(channels, low.values.size());
    widest = std::max(widest, map.values.back().size());
    all.insert(all.end(), map.values.back().begin(), map.values.back().end());
  }
  if (all.empty()) return {};
  for (auto& row : map.values) row.resize(widest, NAN);
  for (size_t i = 0; i < widest; ++i) map.columns.push_back(std::to_string(i * channels / widest));
  largest = *std::ranges::max_element(all);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  return {label + ": " + side + "s",
          fmt::format("Largest {:.3g}, {:.3g} times the median channel.{}", largest,
                      largest / *middle, joined_note(channels, widest)),
          map};
}

std::string fact(const RunSummary& run, const std::string& name) {
  for (const auto& [key, value] : run.attributes)
    if (const auto* text = std::get_if<std::string>(&value); key == name && text) return *text;
  return {};
}

}  // namespace

FigureResult channels_figure(const FigureInput& input) {
  FigureResult result;
  std::set<std::string> models;
  for (size_t i = 0; i < input.runs.size() && models.size() < kMostModels; ++i) {
    // Full precision comes first: its keys and values are the model's own.
    if (models.contains(fact(*input.runs[i], "model_fingerprint"))) continue;
    const hdf5::Reader file(input.runs[i]->path);
    for (const char* side : {"key", "value"})
      if (Panel panel = panel_of(file, side, input.labels[i]); !panel.title.empty()) {
        models.insert(fact(*input.runs[i], "model_fingerprint"));
        result.panels.push_back(std::move(panel));
      }
  }
  if (result.panels.empty()) result.absent = "No finished run has statistics of keys and values.";
  return result;
}

}  // namespace wkvq
