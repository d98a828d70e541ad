#pragma once

#include <string>

#include "analysis/figures/plot.h"

namespace wkvq {

/// One panel as an <svg> element with <title> and <desc>, its colours those of figure_style().
/// `id`: unique in the page. All text of the panel is escaped.
std::string svg_element(const Panel& panel, const std::string& id);

/// CSS that the elements need: light, and dark where the reader prefers it.
std::string figure_style();

/// A file of its own: the panels, one below the other, with their titles and notes.
std::string svg_file(const FigureResult& figure, const std::string& title);

}  // namespace wkvq
