#pragma once

#include <string>

namespace wkvq {

/// `svg`, whose colours are written out, as a PNG of two pixels a unit. ConfigError where it would
/// be too high, and in builds without librsvg (WKVQ_PICTURES=OFF).
std::string png_of(const std::string& svg);

/// The same as a PDF of one page with text as text.
std::string pdf_of(const std::string& svg, const std::string& title);

}  // namespace wkvq
