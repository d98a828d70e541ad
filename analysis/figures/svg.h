#pragma once

#include <string>

#include "analysis/figures/plot.h"

namespace wkvq {

/// Light or dark as the reader prefers, or light, in CSS that every program knows.
enum class Colours { kOfReader, kLight };

/// One panel as an <svg> element with <title> and <desc>, its colours those of figure_style().
/// `id`: unique in the page. All text of the panel is escaped.
std::string svg_element(const Panel& panel, const std::string& id);

/// CSS that the elements need: light, and dark on screens of readers who prefer it.
std::string figure_style();

/// A file of its own: the panels, one below the other, with their titles and notes.
std::string svg_file(const FigureResult& figure, const std::string& title, Colours colours);

}  // namespace wkvq
