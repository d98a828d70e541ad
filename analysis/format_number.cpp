#include "analysis/format_number.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wkvq {

std::string format_measurement(double value, double error) {
  if (!std::isfinite(value) || !std::isfinite(error) || error <= 0)
    return fmt::format("{:.6g}", value);
  const double largest = std::max(std::abs(value), error);
  if (largest >= 1e7 || error < 1e-6) return fmt::format("{:.4g} ± {:.1e}", value, error);
  const int decimals = std::max(0, 1 - static_cast<int>(std::floor(std::log10(error))));
  return fmt::format("{:.{}f} ± {:.{}f}", value, decimals, error, decimals);
}

std::string format_exact(double value) {
  return fmt::format("{}", value);
}

std::string format_attribute(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
  return fmt::format("{:.6g}", std::get<double>(value));
}

}  // namespace wkvq
