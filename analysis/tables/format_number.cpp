#include "analysis/tables/format_number.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wkvq {

namespace {

/// "inf" and "-inf"; every NaN is "nan", whatever its sign.
std::string name_of(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

}  // namespace

std::string format_measurement(double value, double error) {
  if (!std::isfinite(value)) return fmt::format("not finite ({})", name_of(value));
  if (!std::isfinite(error) || error <= 0) return fmt::format("{:.6g}", value);
  const double largest = std::max(std::abs(value), error);
  if (largest >= 1e7 || error < 1e-6) return fmt::format("{:.4g} ± {:.1e}", value, error);
  const int decimals = std::max(0, 1 - static_cast<int>(std::floor(std::log10(error))));
  return fmt::format("{:.{}f} ± {:.{}f}", value, decimals, error, decimals);
}

std::string format_exact(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : name_of(value);
}

std::string format_attribute(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
  const double real = std::get<double>(value);
  if (std::isnan(real)) return "unknown (nan)";
  return std::isfinite(real) ? fmt::format("{:.6g}", real) : name_of(real);
}

}  // namespace wkvq
