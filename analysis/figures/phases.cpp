#include <algorithm>
#include <numeric>

#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/figure.h"

namespace wkvq {
namespace {

constexpr size_t kMostRuns = 24;
const std::string kPrefix = "seconds_";

}  // namespace

FigureResult phases_figure(const FigureInput& input) {
  Bars bars{"seconds", {}, {}, {}};
  std::vector<size_t> timed;
  for (size_t i = 0; i < input.runs.size(); ++i) {
    bool any = false;
    for (const auto& [name, value] : input.runs[i]->cost) {
      if (!name.starts_with(kPrefix) || !std::holds_alternative<double>(value)) continue;
      any = true;
      if (const std::string part = name.substr(kPrefix.size());
          std::ranges::count(bars.parts, part) == 0)
        bars.parts.push_back(part);
    }
    if (any) timed.push_back(i);
  }
  FigureResult result;
  if (timed.empty()) {
    result.absent = "No finished run has its times.";
    return result;
  }
  result.note = keep_first(timed, kMostRuns);
  for (const size_t run : timed) {
    bars.rows.push_back(input.labels[run]);
    bars.values.emplace_back(bars.parts.size(), 0.0);
    for (const auto& [name, value] : input.runs[run]->cost)
      for (size_t part = 0; part < bars.parts.size(); ++part)
        if (const auto* seconds = std::get_if<double>(&value);
            seconds && name == kPrefix + bars.parts[part] && *seconds > 0)
          bars.values.back()[part] = *seconds;
  }
  result.panels.push_back({"Seconds by phase", "Wall-clock time of the process.", bars});
  return result;
}

}  // namespace wkvq
