#include "methods/mixed/bit_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_state.h"

namespace wkvq {

namespace {

constexpr const char* kRows = "/sensitivity";

/// Text of a root attribute, empty where there is none.
std::string text_of(const hdf5::Reader& file, const std::string& name) {
  const auto value = file.attribute("/", name);
  const std::string* text = value ? std::get_if<std::string>(&*value) : nullptr;
  return text ? *text : "";
}

template <class T>
std::vector<T> column(const hdf5::Reader& file, const std::string& name) {
  const Column values = file.column(kRows, name);
  if (const auto* typed = std::get_if<std::vector<T>>(&values)) return *typed;
  config_error("column '{}' of {} has another type than wkvq sensitivity writes", name, kRows);
}

bool missing(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) == names.end();
}

}  // namespace

void BudgetOptions::visit(OptionVisitor& v) {
  v("from", from, "run file of wkvq sensitivity; empty: no bits are picked");
  v.choice("measure", measure, {"nll", "kl"},
           "summed over places: increase of the mean NLL, or mean KL divergence");
  v("average_weight_bits", average_weight_bits,
    "most bits a weight on average; 0: weight.bits everywhere");
  v("average_kv_bits", average_kv_bits,
    "most bits a key or value on average; 0: those of kv everywhere");
  if (average_weight_bits < 0) v.reject("average_weight_bits", "expected 0 or more");
  if (average_kv_bits < 0) v.reject("average_kv_bits", "expected 0 or more");
  const bool asks = average_weight_bits > 0 || average_kv_bits > 0;
  if (!from.empty() && !asks)
    v.reject("", "expected average_weight_bits or average_kv_bits beside 'from'");
  if (from.empty() && asks)
    v.reject("", "expected 'from', the run file of a wkvq sensitivity, beside an average");
  if (!from.empty() && !std::filesystem::exists(from))
    v.reject("from", fmt::format("no file '{}'; expected a run file of wkvq sensitivity", from));
}

BitBudget::BitBudget(const BudgetOptions& options)
    : from_(options.from), measure_(options.measure == BudgetMeasure::kKl ? "kl" : "nll_increase") {
  require_harmless(from_);
  const hdf5::Reader file(from_);
  run_id_ = text_of(file, "run_id");
  model_fingerprint_ = text_of(file, "model_fingerprint");
  if (run_id_.empty() || text_of(file, "status") != "done" || file.datasets(kRows).empty())
    config_error("'{}' is not the run file of a finished wkvq sensitivity", from_);
  if (missing(file.datasets(kRows), measure_))
    config_error(
        "method.budget.measure: '{}' has no column '{}'; expected measure: nll, or a sensitivity "
        "run whose evaluation has kl: true",
        from_, measure_);
  const auto block = column<int64_t>(file, "block");
  const auto part = column<std::string>(file, "part");
  const auto bits = column<int64_t>(file, "bits");
  const auto elements = column<int64_t>(file, "elements");
  const auto loss = column<double>(file, measure_);
  // Files from before formats were probed have whole numbers alone.
  const auto format = missing(file.datasets(kRows), "format")
                          ? std::vector<std::string>(block.size())
                          : column<std::string>(file, "format");
  if (part.size() != block.size() || bits.size() != block.size() ||
      elements.size() != block.size() || loss.size() != block.size() ||
      format.size() != block.size())
    config_error("'{}': the columns of {} differ in length", from_, kRows);
  Parts weights, cache;
  for (size_t i = 0; i < block.size(); ++i) {
    if (!std::isfinite(loss[i]) || elements[i] < 1 || bits[i] < 1)
      config_error("'{}': row {} of {} is no measurement", from_, i, kRows);
    BitPlace& place = (part[i] == "weights" ? weights : cache)[{block[i], part[i]}];
    place.elements = elements[i];
    place.choices.push_back({bits[i], loss[i], format[i]});
  }
  if (options.average_weight_bits > 0) pick(weights, "weights", options.average_weight_bits);
  if (options.average_kv_bits > 0) pick(cache, "kv", options.average_kv_bits);
}

void BitBudget::pick(const Parts& parts, const std::string& name, double average_bits) {
  if (parts.empty()) config_error("'{}' holds no probes of {}", from_, name);
  std::vector<BitPlace> places;
  int64_t elements = 0;
  for (const auto& [key, place] : parts) {
    places.push_back(place);
    elements += place.elements;
  }
  Front front{bit_front(places), {}, static_cast<double>(elements)};
  const FrontPoint* best = best_within(front.points, average_bits, elements);
  if (!best)
    config_error("an average of {} bits is below the least that '{}' has probes for, {}",
                 average_bits, from_,
                 static_cast<double>(front.points.front().stored_bits) / front.elements);
  front.picked = *best;
  size_t i = 0;
  for (const auto& [key, place] : parts) {
    picked_[key] = place.choices[best->choices[i]];
    ++i;
  }
  fronts_[name] = std::move(front);
}

const BitChoice* BitBudget::picked(int64_t layer, const std::string& part) const {
  const auto found = picked_.find({layer, part});
  return found == picked_.end() ? nullptr : &found->second;
}

void BitBudget::require_model(const std::string& fingerprint) const {
  if (!run_id_.empty() && fingerprint != model_fingerprint_)
    config_error(
        "method.budget.from: '{}' was measured on another model (fingerprint {}); expected the one "
        "of this run ({})",
        from_, model_fingerprint_, fingerprint);
}

void BitBudget::record(Recorder& recorder) const {
  for (const auto& [name, front] : fronts_) {
    const std::string group = "/calibration/front_" + name;
    const auto average = [&](const FrontPoint& point) {
      return static_cast<double>(point.stored_bits) / front.elements;
    };
    std::vector<double> bits, loss;
    for (const FrontPoint& point : front.points) {
      bits.push_back(average(point));
      loss.push_back(point.loss);
    }
    recorder.attribute(group, "average_bits", average(front.picked));
    recorder.attribute(group, "predicted_loss", front.picked.loss);
    recorder.column(group, "average_bits", bits);
    recorder.attribute(group, "measure", measure_);
    recorder.column(group, "loss", loss);
  }
}

}  // namespace wkvq
