#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "analysis/figures/svg_parts.h"
#include "analysis/tables/markup.h"
#include "analysis/tables/text_width.h"

namespace wkvq::svg {
namespace {

constexpr double kTop = 8, kMostCell = 26, kLeastCell = 7;
constexpr size_t kMostTitles = 2048;  ///< cells that each say their value; of more only shades
constexpr int kShades = 16;

struct Frame {
  double left = 0, cell_width = 0, cell_height = 0, largest = 0;

  double x(size_t column) const { return left + cell_width * static_cast<double>(column); }
  double y(size_t row) const { return kTop + cell_height * static_cast<double>(row); }
};

Frame frame_of(const HeatMap& map) {
  Frame frame;
  double names = 0;
  for (const std::string& row : map.rows) names = std::max(names, text_width(row));
  frame.left = names + 28;
  const double columns = static_cast<double>(std::max<size_t>(map.columns.size(), 1));
  frame.cell_width = std::min((kWidth - frame.left - 4) / columns, 2 * kMostCell);
  frame.cell_height = std::clamp(frame.cell_width, kLeastCell, kMostCell);
  for (const auto& row : map.values)
    for (const double value : row)
      if (value > frame.largest) frame.largest = value;
  return frame;
}

/// Every cell with its value as a title.
std::string titled_cells(const HeatMap& map, const Frame& frame) {
  std::string markup;
  for (size_t i = 0; i < map.rows.size(); ++i)
    for (size_t k = 0; k < map.columns.size(); ++k) {
      const double value = map.values[i][k];
      if (std::isnan(value)) continue;
      const double share = frame.largest > 0 ? std::clamp(value / frame.largest, 0.0, 1.0) : 0;
      markup += fmt::format(
          "<rect class=\"heat{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.3f}\"><title>{}</title></rect>\n",
          value == frame.largest && !map.numbers ? " worst" : "", frame.x(k), frame.y(i),
          frame.cell_width, frame.cell_height, 0.04 + 0.96 * share,
          escaped(fmt::format("{} {}, {} {}: {:.4g}", map.row_label, map.rows[i], map.column_label,
                              map.columns[k], value)));
      if (map.numbers)
        markup += text(frame.x(k) + frame.cell_width / 2, frame.y(i) + frame.cell_height / 2 + 4,
                       tick_text(value), share > 0.55 ? "class=\"over\"" : "class=\"number\"");
    }
  return markup;
}

/// One path a shade: many cells in few bytes.
std::string shaded_cells(const HeatMap& map, const Frame& frame) {
  std::map<int, std::string> shades;
  for (size_t i = 0; i < map.rows.size(); ++i)
    for (size_t k = 0; k < map.columns.size(); ++k) {
      const double value = map.values[i][k];
      if (std::isnan(value) || frame.largest <= 0) continue;
      const int shade = static_cast<int>(std::ceil(value / frame.largest * kShades));
      if (shade > 0) shades[shade] += fmt::format("M{} {}h1v1h-1z", k, i);
    }
  std::string markup = fmt::format("<g transform=\"translate({:.1f} {}) scale({:.4f} {:.4f})\">\n",
                                   frame.left, kTop, frame.cell_width, frame.cell_height);
  for (const auto& [shade, path] : shades)
    markup += fmt::format("<path class=\"heat\" fill-opacity=\"{:.3f}\" d=\"{}\"/>\n",
                          static_cast<double>(shade) / kShades, path);
  return markup + "</g>\n";
}

std::string labels(const HeatMap& map, const Frame& frame) {
  std::string markup;
  // Powers of two: heads and groups of channels begin there.
  const auto every = [](double room, double needed) {
    return std::bit_ceil(std::max<size_t>(1, static_cast<size_t>(std::ceil(needed / room))));
  };
  for (size_t i = 0; i < map.rows.size(); i += every(frame.cell_height, kLine - 4))
    markup += text(frame.left - 6, frame.y(i) + frame.cell_height / 2 + 4, map.rows[i],
                   "text-anchor=\"end\"");
  const double widest = map.columns.empty() ? 0 : text_width(map.columns.back()) + 8;
  const double below = frame.y(map.rows.size());
  for (size_t k = 0; k < map.columns.size(); k += every(frame.cell_width, widest))
    markup += text(frame.x(k) + frame.cell_width / 2, below + 14, map.columns[k],
                   "text-anchor=\"middle\"");
  markup += text((frame.left + frame.x(map.columns.size())) / 2, below + 31, map.column_label,
                 "text-anchor=\"middle\"");
  const double middle = (kTop + below) / 2;
  return markup +
         text(12, middle, map.row_label,
              fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 12 {:.1f})\"", middle));
}

/// Pale to full with the numbers of both ends.
Drawing colour_bar(const HeatMap& map, const Frame& frame, double y) {
  Drawing drawing{text(frame.left, y + 10, "0"), 18};
  for (int i = 1; i <= kShades; ++i)
    drawing.markup += fmt::format(
        "<rect class=\"heat\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"8.2\" height=\"11\" "
        "fill-opacity=\"{:.3f}\"/>",
        frame.left + 4 + 8.0 * i, y, static_cast<double>(i) / kShades);
  drawing.markup += text(frame.left + 20 + 8.0 * kShades, y + 10,
                         fmt::format("{:.3g} ({})", frame.largest, map.unit));
  return drawing;
}

}  // namespace

Drawing draw(const HeatMap& map) {
  const Frame frame = frame_of(map);
  const bool few = map.rows.size() * map.columns.size() <= kMostTitles;
  Drawing drawing{few ? titled_cells(map, frame) : shaded_cells(map, frame),
                  frame.y(map.rows.size()) + 40};
  drawing.markup += labels(map, frame);
  const Drawing bar = colour_bar(map, frame, drawing.height);
  return {drawing.markup + bar.markup, drawing.height + bar.height};
}

Drawing draw(const Bars& bars) {
  constexpr double kBar = 14, kGap = 7;
  double names = 0, largest = 0;
  std::vector<std::string> rows;
  for (const std::string& row : bars.rows) {
    rows.push_back(shortened(row, static_cast<size_t>(kWidth / 2 / kLetter)));
    names = std::max(names, text_width(rows.back()));
  }
  for (const auto& row : bars.values) {
    double sum = 0;
    for (const double value : row) sum += value;
    largest = std::max(largest, sum);
  }
  const double left = names + 12, right = 70;
  const double scale = largest > 0 ? (kWidth - left - right) / largest : 0;
  std::string markup;
  for (size_t i = 0; i < bars.rows.size(); ++i) {
    const double y = kTop + (kBar + kGap) * static_cast<double>(i);
    double x = left, sum = 0;
    markup += text(left - 6, y + 11, rows[i], "text-anchor=\"end\"");
    for (size_t part = 0; part < bars.parts.size(); ++part) {
      const double value = bars.values[i][part];
      markup += fmt::format(
          "<g class=\"s{}\"><rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{}\"><title>{}</title></rect></g>",
          part % 8, x, y, value * scale, kBar,
          escaped(
              fmt::format("{}, {}: {:.4g} {}", bars.rows[i], bars.parts[part], value, bars.label)));
      x += value * scale;
      sum += value;
    }
    markup += text(x + 6, y + 11, fmt::format("{:.4g} {}", sum, bars.label.substr(0, 1)));
  }
  const double below = kTop + (kBar + kGap) * static_cast<double>(bars.rows.size());
  const Drawing names_below = legend(bars.parts, left, below + 10, false);
  return {markup + names_below.markup, below + 10 + names_below.height};
}

}  // namespace wkvq::svg
