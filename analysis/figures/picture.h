#pragma once

#include <filesystem>
#include <string>

#include "analysis/figures/plot.h"

namespace wkvq {

/// ConfigError, saying what was expected, where no figure can be written to a file of this ending.
void require_picture_ending(const std::filesystem::path& path);

/// The bytes of a figure's file, by the ending of `path`: .svg (light or dark as its reader
/// prefers), .png (light, two pixels a unit) or .pdf (light, one page of the drawing's size, text
/// as text). ConfigError where a PNG would have too many pixels.
std::string picture(const FigureResult& figure, const std::string& title,
                    const std::filesystem::path& path);

}  // namespace wkvq
