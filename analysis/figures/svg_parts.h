#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/figures/plot.h"

namespace wkvq::svg {

inline constexpr double kWidth = 640;
inline constexpr double kLine = 16;     ///< from one line of text to the next
inline constexpr double kLetter = 7.2;  ///< width of a letter, at most on average

/// A drawing without its frame: markup, and how high it is; the width is kWidth.
struct Drawing {
  std::string markup;
  double height = 0;
};

Drawing draw(const Curves& curves);
Drawing draw(const HeatMap& map);
Drawing draw(const Bars& bars);

/// Width that `text` takes, about.
double text_width(std::string_view text);

/// <text> at (x, y); `attributes` as markup, e.g. `text-anchor="end"`.
std::string text(double x, double y, std::string_view content, std::string_view attributes = {});

/// Swatches with their names, wrapped to the width; the first line's middle is at `y`.
Drawing legend(const std::vector<std::string>& names, double x, double y, bool markers);

/// Round numbers over [low, high], about `count`; on a logarithmic axis powers of ten, or 1, 2 and
/// 5 of them, or the round numbers of a linear one, where there are few.
std::vector<double> ticks(double low, double high, bool log, int count);

/// "0.01", "1e+06": a tick's text.
std::string tick_text(double value);

/// The marker of series `index` at (x, y): circle, square, triangle or diamond.
std::string marker(size_t index, double x, double y);

}  // namespace wkvq::svg
