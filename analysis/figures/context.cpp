#include <algorithm>
#include <map>
#include <set>

#include "analysis/compare/baseline.h"
#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/evaluations.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

bool is_bucket(const Evaluation& evaluation) {
  return evaluation.task == "context_curve" && evaluation.metric.starts_with("nll_");
}

double position(const hdf5::Reader& file, const Evaluation& evaluation, const std::string& name) {
  const auto value = file.attribute("/evaluation/" + evaluation.name, name);
  if (const auto* whole = value ? std::get_if<int64_t>(&*value) : nullptr)
    return static_cast<double>(*whole);
  return NAN;
}

/// The increase of each bucket of one KV mode; empty where `exact` scored other text.
std::vector<Point> increases(const RunSummary& run, const RunSummary& exact,
                             const std::string& kv_mode) {
  const hdf5::Reader file(run.path), reference(exact.path);
  std::vector<Point> points;
  for (const Evaluation& bucket : run.evaluations) {
    if (!is_bucket(bucket) || bucket.kv_mode != kv_mode) continue;
    const auto twin = std::ranges::find(exact.evaluations, bucket.name, &Evaluation::name);
    if (twin == exact.evaluations.end()) continue;
    try {
      const Comparison one = compare_rows({reference, *twin}, {file, bucket}, {.samples = 0});
      points.push_back(
          {(position(file, bucket, "first_position") + position(file, bucket, "last_position")) / 2,
           one.difference.value, one.difference.standard_error});
    } catch (const ConfigError&) {
      return {};  // other text, or rows that were left out
    }
  }
  return points;
}

std::set<std::string> modes_of(const RunSummary& run) {
  std::set<std::string> modes;
  for (const Evaluation& evaluation : run.evaluations)
    if (is_bucket(evaluation)) modes.insert(evaluation.kv_mode);
  return modes;
}

}  // namespace

FigureResult context_figure(const FigureInput& input) {
  FigureResult result;
  std::map<std::string, Panel> modes;
  std::vector<size_t> exact, quantized;
  for (size_t i = 0; i < input.runs.size(); ++i)
    if (std::ranges::any_of(input.runs[i]->evaluations, is_bucket))
      (is_full_precision(*input.runs[i]) ? exact : quantized).push_back(i);
  result.note = keep_first(quantized, kMostCurves);
  for (const size_t run : quantized)
    for (const std::string& kv_mode : modes_of(*input.runs[run]))
      for (const size_t reference : exact) {
        std::vector<Point> points = increases(*input.runs[run], *input.runs[reference], kv_mode);
        if (points.empty()) continue;
        for (Point& point : points) point.run = input.places[run];
        Panel& panel = modes[kv_mode];
        if (panel.title.empty())
          panel = {
              printable("kv " + kv_mode), "Bars: standard errors over windows.",
              Curves{{"position in the context (tokens)"}, {"NLL increase (nats a token)"}, {}}};
        std::get<Curves>(panel.drawing).series.push_back({input.labels[run], points});
        break;
      }
  for (auto& [mode, panel] : modes) result.panels.push_back(std::move(panel));
  if (result.panels.empty())
    result.absent =
        "No quantized run of task context_curve has a full-precision run on the same text beside "
        "it.";
  return result;
}

}  // namespace wkvq
