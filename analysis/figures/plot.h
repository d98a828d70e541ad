#pragma once

#include <cmath>
#include <string>
#include <variant>
#include <vector>

namespace wkvq {

struct Axis {
  std::string label;  ///< with its unit
  bool log = false;   ///< points at or below 0 are not drawn
};

struct Point {
  double x = 0, y = 0;
  double error = NAN;      ///< standard error of y; NaN draws none
  std::string label = {};  ///< says what the point is
  int64_t run = -1;        ///< index of its run; -1: of none
};

struct Series {
  std::string name;
  std::vector<Point> points;
  bool line = true;
  bool markers = true;
  bool step = false;  ///< the line keeps a y until the next x: a front, which no legend names
  /// Of series that are an ordered many (blocks): 0 pale .. 1 full, in one colour, unnamed. -1: a
  /// colour of its own.
  double shade = -1;
};

/// Series over two axes.
struct Curves {
  Axis x, y;
  std::vector<Series> series;
};

/// A value for every row and column, 0 pale to the largest full; the largest is outlined.
struct HeatMap {
  std::string row_label, column_label, unit;
  std::vector<std::string> rows, columns;
  std::vector<std::vector<double>> values;  ///< [row][column]; NaN: nothing there
  bool numbers = false;                     ///< write the values into the cells
};

/// One bar a row, its parts side by side.
struct Bars {
  std::string label;  ///< of the values, with unit
  std::vector<std::string> rows, parts;
  std::vector<std::vector<double>> values;  ///< [row][part], 0 or more
};

struct Panel {
  std::string title;
  std::string note;  ///< conventions and what is to be seen, in whole sentences
  std::variant<Curves, HeatMap, Bars> drawing;
};

/// What a figure makes of runs: panels, or a sentence that says why there are none.
struct FigureResult {
  std::vector<Panel> panels;
  std::string absent = {};
  std::string note = {};  ///< of all panels, e.g. which runs were left out
};

}  // namespace wkvq
