#include "experiments/run/error_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace wkvq {

namespace {

constexpr std::string_view kStatistics = "/statistics/";

// Sums of products in another order differ by less; a method that changes nothing is not warned of.
constexpr double kNoise = 1.001;

/// Mean errors over the linears of the block of the last place.
template <class Places>
std::string note_of(const Places& places, const char* of) {
  if (places.empty()) return {};
  const std::string last = places.rbegin()->first;
  const std::string block = last.substr(0, last.find('/') + 1);
  double error = 0, nearest = 0, count = 0;
  for (const auto& [name, place] : places) {
    if (!name.starts_with(block)) continue;
    error += place.error;
    nearest += place.nearest;
    ++count;
  }
  return fmt::format("output error on {} {:.2g}, rounded to nearest {:.2g}", of, error / count,
                     nearest / count);
}

template <class Places>
std::optional<std::string> warning_of(const Places& places, const char* of) {
  size_t worse = 0;
  const std::string* worst = nullptr;
  double ratio = 0;
  for (const auto& [name, place] : places) {
    if (!(place.error > place.nearest * kNoise)) continue;
    ++worse;
    if (worst && !(place.error / place.nearest > ratio)) continue;
    worst = &name;
    ratio = place.error / place.nearest;
  }
  if (!worst) return std::nullopt;
  const auto& place = places.at(*worst);
  return fmt::format(
      "{} of {} linears have a larger output error on {} than rounding to nearest leaves; most of "
      "all {}: {:.3g} instead of {:.3g}",
      worse, places.size(), of, *worst, place.error, place.nearest);
}

// A head is far worse than the rest where the error of its output is so many times the median of
// all heads, and no small share of the output.
constexpr double kFarWorse = 4, kNoSmallShare = 0.05;

std::optional<std::string> warning_of_heads(const std::map<std::string, double>& heads) {
  if (heads.size() < 2) return std::nullopt;
  std::vector<double> errors;
  const auto* worst = &*heads.begin();
  for (const auto& head : heads) {
    errors.push_back(head.second);
    if (head.second > worst->second) worst = &head;
  }
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::ranges::nth_element(errors, middle);
  if (!(worst->second > kFarWorse * *middle && worst->second > kNoSmallShare)) return std::nullopt;
  return fmt::format(
      "the quantized cache changes the output of {} by {:.3g} of its norm, {:.1f} times the median "
      "of {} heads; `wkvq show` lists the worst",
      worst->first, worst->second, worst->second / *middle, heads.size());
}

constexpr const char* kCalibration = "calibration text";
constexpr const char* kText = "evaluated text";

}  // namespace

void ErrorWatch::attribute(const std::string& group, const std::string& name,
                           const AttributeValue& value) {
  recorder_.attribute(group, name, value);
  const double* number = std::get_if<double>(&value);
  if (!number || !group.starts_with(kStatistics)) return;
  const std::string place = group.substr(kStatistics.size());
  if (name == "output_error") calibration_[place].error = *number;
  if (name == "output_error_nearest") calibration_[place].nearest = *number;
  if (name == "text_error") text_[place].error = *number;
  if (name == "text_error_nearest") text_[place].nearest = *number;
}

void ErrorWatch::array(const std::string& group, const std::string& name, const Array& values) {
  recorder_.array(group, name, values);
  constexpr std::string_view kHeads = "/heads";
  if (name != "output_error" || !group.starts_with(kStatistics) || !group.ends_with(kHeads)) return;
  const std::string block =
      group.substr(kStatistics.size(), group.size() - kStatistics.size() - kHeads.size());
  for (size_t head = 0; head < values.values.size(); ++head)
    heads_[fmt::format("{}, head {}", block, head)] = values.values[head];
}

std::string ErrorWatch::note() const {
  return calibration_.empty() ? note_of(text_, kText) : note_of(calibration_, kCalibration);
}

std::vector<std::string> ErrorWatch::warnings() const {
  std::vector<std::string> warnings;
  if (const auto text = warning_of(calibration_, kCalibration)) warnings.push_back(*text);
  if (const auto text = warning_of(text_, kText)) warnings.push_back(*text);
  if (const auto text = warning_of_heads(heads_)) warnings.push_back(*text);
  return warnings;
}

}  // namespace wkvq
