#include "analysis/figures/picture.h"

#include <cairo.h>

#include <cstring>
#include <regex>

#include "analysis/figures/svg.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// One row of two bars, 3 s of "blocks" and 1 s of "evaluation".
FigureResult bars() {
  return {{{"Seconds by phase", "Wall-clock time.",
            Bars{"seconds", {"run <b>"}, {"blocks", "evaluation"}, {{3, 1}}}}}};
}

/// A PNG in memory, read by cairo.
class Png {
 public:
  explicit Png(std::string bytes) : bytes_(std::move(bytes)) {
    surface_ = cairo_image_surface_create_from_png_stream(&Png::read, this);
    REQUIRE(cairo_surface_status(surface_) == CAIRO_STATUS_SUCCESS);
  }
  ~Png() { cairo_surface_destroy(surface_); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  int width() const { return cairo_image_surface_get_width(surface_); }
  int height() const { return cairo_image_surface_get_height(surface_); }
  /// 0xRRGGBB.
  uint32_t at(double x, double y) const {
    const unsigned char* row = cairo_image_surface_get_data(surface_) +
                               static_cast<int>(y) * cairo_image_surface_get_stride(surface_);
    uint32_t pixel = 0;
    std::memcpy(&pixel, row + 4 * static_cast<int>(x), 4);
    return pixel & 0xFFFFFFU;
  }

 private:
  static cairo_status_t read(void* self, unsigned char* data, unsigned int count) {
    auto* png = static_cast<Png*>(self);
    if (png->at_ + count > png->bytes_.size()) return CAIRO_STATUS_READ_ERROR;
    std::memcpy(data, png->bytes_.data() + png->at_, count);
    png->at_ += count;
    return CAIRO_STATUS_SUCCESS;
  }

  std::string bytes_;
  size_t at_ = 0;
  cairo_surface_t* surface_ = nullptr;
};

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

/// The numbers that `pattern` captures at its place `nth` in `text`.
std::vector<double> numbers(const std::string& text, const std::string& pattern, size_t nth) {
  const std::regex regex(pattern);
  std::sregex_iterator it(text.begin(), text.end(), regex);
  std::advance(it, static_cast<std::ptrdiff_t>(nth));
  REQUIRE(it != std::sregex_iterator());
  std::vector<double> values;
  for (size_t i = 1; i < it->size(); ++i) values.push_back(std::stod((*it)[i]));
  return values;
}

}  // namespace

TEST_CASE("picture: a PNG has the size and the colours that the SVG says, twice as large") {
  const std::string svg = svg_file(bars(), "phases", Colours::kLight);
  CHECK(svg.find("var(") == std::string::npos);
  const Png png(picture(bars(), "phases", "x.png"));
  const auto size = numbers(svg, "width=\"(\\d+)\" height=\"(\\d+)\" viewBox", 0);
  CHECK(png.width() == 2 * size[0]);
  CHECK(png.height() == 2 * size[1]);
  const double down = numbers(svg, "translate\\(0 ([0-9.]+)\\)", 0)[0];
  // Okabe and Ito's blue and vermilion, and paper right of the bars.
  const std::string bar =
      "class=\"bar\" x=\"([0-9.]+)\" y=\"([0-9.]+)\" width=\"([0-9.]+)\" "
      "height=\"([0-9.]+)\"><title>";
  for (const auto& [place, colour] : {std::pair<size_t, uint32_t>{0, 0x0072B2}, {1, 0xD55E00}}) {
    const auto at = numbers(svg, bar, place);
    const double y = 2 * (down + at[1] + at[3] / 2);
    CHECK(png.at(2 * (at[0] + at[2] / 2), y) == colour);
    CHECK(png.at(2 * (at[0] + 2), 2 * (down + at[1]) - 6) == 0xFFFFFF);
  }
}

TEST_CASE("picture: a PDF is one page with its text as text, the same bytes each time") {
  const std::string pdf = picture(bars(), "phases & more", "x.pdf");
  CHECK(pdf.starts_with("%PDF-1.4"));
  CHECK(count(pdf, "/Type /Page ") == 1);
  CHECK(pdf.find("/Count 1") != std::string::npos);
  // Fonts that say which letter a glyph is; a picture of text has none.
  CHECK(count(pdf, "/ToUnicode") >= 1);
  CHECK(pdf.find("/Subtype /Image") == std::string::npos);
  CHECK(picture(bars(), "phases & more", "x.pdf") == pdf);
  CHECK(pdf.find("CreationDate") == std::string::npos);
}

TEST_CASE("picture: endings, and what is too high for a PNG") {
  CHECK(picture(bars(), "phases", "x.svg") == svg_file(bars(), "phases", Colours::kOfReader));
  for (const char* name : {"x.jpg", "x", "x.PNG", ".png"})
    REQUIRE_CONFIG_ERROR(picture(bars(), "phases", name),
                         fmt::format("'{}'; expected a file *.svg, *.png or *.pdf", name));
  FigureResult high = bars();
  high.panels.resize(200, high.panels[0]);
  REQUIRE_CONFIG_ERROR(picture(high, "phases", "x.png"), "pixels high; expected at most 32767");
  CHECK(picture(high, "phases", "x.pdf").starts_with("%PDF"));
}
