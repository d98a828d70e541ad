#include "analysis/figures/svg_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/tables/markup.h"
#include "analysis/tables/text_width.h"

namespace wkvq::svg {

double text_width(std::string_view text) {
  return kLetter * static_cast<double>(display_width(text));
}

std::string text(double x, double y, std::string_view content, std::string_view attributes) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}{}>{}</text>\n", x, y,
                     attributes.empty() ? "" : " ", attributes, escaped(content));
}

Drawing legend(const std::vector<std::string>& names, double x, double y, bool markers) {
  Drawing drawing{"", kLine};
  double at = x;
  for (size_t i = 0; i < names.size(); ++i) {
    const double width = 24 + text_width(names[i]);
    if (at > x && at + width > kWidth) {
      at = x;
      drawing.height += kLine;
    }
    const double middle = y + drawing.height - kLine;
    drawing.markup += fmt::format("<g class=\"s{}\">", i % 8);
    drawing.markup += markers ? marker(i, at + 6, middle)
                              : fmt::format(
                                    "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" "
                                    "width=\"10\" height=\"10\"/>",
                                    at, middle - 5);
    drawing.markup += "</g>" + text(at + 15, middle + 4, names[i]);
    at += width + 10;
  }
  return drawing;
}

std::vector<double> ticks(double low, double high, bool log, int count) {
  std::vector<double> result;
  const auto add_within = [&](double value) {
    const double slack = 1e-9 * (std::abs(low) + std::abs(high));
    if (value >= low - slack && value <= high + slack) result.push_back(value);
  };
  if (log) {
    const bool few = high / low < 1000;
    for (double power = std::floor(std::log10(low)); power <= std::log10(high); ++power)
      for (const double digit : {1.0, 2.0, 5.0})
        if (digit == 1 || few) add_within(digit * std::pow(10, power));
    if (result.size() > 2) return result;
    result.clear();
  }
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double digit = rough / power;
  const double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  for (double i = std::ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); ++i)
    add_within(i * step);
  return result;
}

std::string tick_text(double value) {
  return fmt::format("{:.6g}", std::abs(value) < 1e-12 ? 0.0 : value);
}

std::string marker(size_t index, double x, double y) {
  switch (index % 4) {
    case 0:
      return fmt::format("<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.6\"/>", x, y);
    case 1:
      return fmt::format(
          "<rect class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"6.6\" height=\"6.6\"/>", x - 3.3,
          y - 3.3);
    case 2:
      return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l4.4 7.6h-8.8z\"/>", x, y - 4.8);
    default:
      return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l4.6 4.6-4.6 4.6-4.6-4.6z\"/>", x,
                         y - 4.6);
  }
}

}  // namespace wkvq::svg
