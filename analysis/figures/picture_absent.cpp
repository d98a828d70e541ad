// In the place of picture_drawing.cpp in builds without librsvg.
#include "analysis/figures/picture_drawing.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

[[noreturn]] void refuse(const char* format) {
  config_error("this build has no {} (WKVQ_PICTURES=OFF); expected a file *.svg", format);
}

}  // namespace

std::string png_of(const std::string&) {
  refuse("PNG");
}

std::string pdf_of(const std::string&, const std::string&) {
  refuse("PDF");
}

}  // namespace wkvq
