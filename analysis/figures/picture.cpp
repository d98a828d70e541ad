#include "analysis/figures/picture.h"

#include "analysis/figures/picture_drawing.h"
#include "analysis/figures/svg.h"
#include "core/base/error.h"

namespace wkvq {

void require_picture_ending(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending != ".svg" && ending != ".png" && ending != ".pdf")
    config_error("--out '{}'; expected a file *.svg, *.png or *.pdf", path.string());
}

std::string picture(const FigureResult& figure, const std::string& title,
                    const std::filesystem::path& path) {
  require_picture_ending(path);
  if (path.extension() == ".svg") return svg_file(figure, title, Colours::kOfReader);
  const std::string svg = svg_file(figure, title, Colours::kLight);
  return path.extension() == ".png" ? png_of(svg) : pdf_of(svg, title);
}

}  // namespace wkvq
