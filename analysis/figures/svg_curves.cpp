#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "analysis/figures/svg_parts.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/markup.h"

namespace wkvq::svg {
namespace {

constexpr double kLeft = 64, kRight = 12, kTop = 8, kPlotHeight = 280;

/// Maps an axis to pixels.
struct Scale {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool log = false;
  double from = 0, to = 0;  ///< pixels of low and high

  bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }
  void take(double value) {
    if (!shows(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// A margin around what was taken.
  void widen() {
    if (low > high) low = log ? 0.1 : 0, high = 1;
    if (log) {
      const double margin = high > low ? std::pow(high / low, 0.05) : 1.1;
      low /= margin;
      high *= margin;
      return;
    }
    const double margin = high > low ? 0.05 * (high - low) : 0.5 + 0.05 * std::abs(high);
    low -= margin;
    high += margin;
  }
  double at(double value) const {
    const auto f = [this](double v) { return log ? std::log(v) : v; };
    const double share = (f(std::clamp(value, low, high)) - f(low)) / (f(high) - f(low));
    return from + share * (to - from);
  }
};

struct Scales {
  Scale x, y;
};

Scales scales_of(const Curves& curves) {
  Scales scales;
  scales.x.log = curves.x.log;
  scales.y.log = curves.y.log;
  for (const Series& series : curves.series)
    for (const Point& point : series.points) {
      if (!scales.x.shows(point.x) || !scales.y.shows(point.y)) continue;
      scales.x.take(point.x);
      scales.y.take(point.y);
      if (!std::isfinite(point.error)) continue;
      scales.y.take(point.y + point.error);
      // On a logarithmic axis an error as large as the value would reach down for ever.
      scales.y.take(curves.y.log ? std::max(point.y - point.error, point.y / 2)
                                 : point.y - point.error);
    }
  for (Scale* scale : {&scales.x, &scales.y}) scale->widen();
  scales.x.from = kLeft;
  scales.x.to = kWidth - kRight;
  scales.y.from = kTop + kPlotHeight;
  scales.y.to = kTop;
  return scales;
}

std::string axes(const Curves& curves, const Scales& scales) {
  std::string markup;
  for (const double tick : ticks(scales.y.low, scales.y.high, scales.y.log, 6)) {
    const double y = scales.y.at(tick);
    markup += fmt::format("<path class=\"grid\" d=\"M{} {:.1f}H{}\"/>", kLeft, y, kWidth - kRight);
    markup += text(kLeft - 6, y + 4, tick_text(tick), "text-anchor=\"end\"");
  }
  for (const double tick : ticks(scales.x.low, scales.x.high, scales.x.log, 8)) {
    const double x = scales.x.at(tick);
    markup +=
        fmt::format("<path class=\"grid\" d=\"M{:.1f} {}V{}\"/>", x, kTop, kTop + kPlotHeight);
    markup += text(x, kTop + kPlotHeight + 16, tick_text(tick), "text-anchor=\"middle\"");
  }
  markup += fmt::format("<path class=\"axis\" d=\"M{} {}V{}H{}\"/>\n", kLeft, kTop,
                        kTop + kPlotHeight, kWidth - kRight);
  markup += text((kLeft + kWidth - kRight) / 2, kTop + kPlotHeight + 34, curves.x.label,
                 "text-anchor=\"middle\"");
  const double middle = kTop + kPlotHeight / 2;
  return markup +
         text(14, middle, curves.y.label,
              fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 14 {})\"", middle));
}

std::string line_of(const Series& series, const std::vector<Point>& points, const Scales& scales) {
  std::string path;
  for (size_t i = 0; i < points.size(); ++i) {
    const double x = scales.x.at(points[i].x), y = scales.y.at(points[i].y);
    if (i > 0 && series.step) path += fmt::format("H{:.1f}", x);
    path += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x, y);
  }
  const std::string faded =
      series.shade < 0 ? "" : fmt::format(" stroke-opacity=\"{:.2f}\"", 0.25 + 0.75 * series.shade);
  return fmt::format("<path class=\"line{}\"{} d=\"{}\"><title>{}</title></path>",
                     series.step ? " front" : "", faded, path, escaped(series.name));
}

std::string point_of(const Series& series, size_t index, const Point& point, const Scales& scales) {
  const double x = scales.x.at(point.x), y = scales.y.at(point.y);
  std::string markup = point.run < 0 ? "<g>" : fmt::format("<g data-run=\"{}\">", point.run);
  if (point.error > 0) {
    const double low =
        scales.y.log && point.error >= point.y ? scales.y.low : point.y - point.error;
    markup += fmt::format("<path class=\"error\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", x,
                          scales.y.at(low), scales.y.at(point.y + point.error));
  }
  markup += marker(index, x, y);
  return markup + fmt::format("<title>{}: {}, {}</title></g>\n",
                              escaped(point.label.empty() ? series.name : point.label),
                              tick_text(point.x), format_measurement(point.y, point.error));
}

}  // namespace

Drawing draw(const Curves& curves) {
  const Scales scales = scales_of(curves);
  Drawing drawing{axes(curves, scales), kTop + kPlotHeight + 44};
  std::vector<std::string> names;
  for (size_t i = 0; i < curves.series.size(); ++i) {
    const Series& series = curves.series[i];
    std::vector<Point> points = series.points;
    std::erase_if(points, [&](auto& p) { return !scales.x.shows(p.x) || !scales.y.shows(p.y); });
    const size_t colour = series.shade < 0 ? i : 0;
    drawing.markup += fmt::format("<g class=\"s{}\">", colour % 8);
    if (series.line && !points.empty()) drawing.markup += line_of(series, points, scales);
    if (series.markers)
      for (const Point& point : points) drawing.markup += point_of(series, i, point, scales);
    drawing.markup += "</g>\n";
    if (series.shade < 0 && !series.step) names.push_back(series.name);
  }
  const Drawing names_below = legend(names, kLeft, drawing.height + 8, true);
  if (names.empty()) return drawing;
  return {drawing.markup + names_below.markup, drawing.height + names_below.height + 8};
}

}  // namespace wkvq::svg
