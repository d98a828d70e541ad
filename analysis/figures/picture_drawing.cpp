#include "analysis/figures/picture_drawing.h"

#include <cairo-pdf.h>
#include <librsvg/rsvg.h>

#include <cmath>
#include <memory>
#include <stdexcept>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr double kPixels = 2;          ///< of a PNG for each unit, so that text is sharp in print
constexpr double kPoints = 0.75;       ///< of a PDF for each unit: 72 and 96 of an inch
constexpr double kMostPixels = 32767;  ///< of a side, by cairo

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Handle = std::unique_ptr<RsvgHandle, Free<g_object_unref>>;
using Surface = std::unique_ptr<cairo_surface_t, Free<cairo_surface_destroy>>;
using Context = std::unique_ptr<cairo_t, Free<cairo_destroy>>;

/// The drawing is ours: what cannot be drawn is an error of the program.
[[noreturn]] void drawing_failed(const char* what) {
  throw std::runtime_error(fmt::format("drawing of a figure failed: {}", what));
}

void require(bool good, GError* error) {
  const std::unique_ptr<GError, Free<g_error_free>> owned(error);
  if (!good) drawing_failed(owned ? owned->message : "librsvg says nothing");
}

void require(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) drawing_failed(cairo_status_to_string(status));
}

Handle parsed(const std::string& svg) {
  GInputStream* stream =
      g_memory_input_stream_new_from_data(svg.data(), static_cast<gssize>(svg.size()), nullptr);
  const std::unique_ptr<GInputStream, Free<g_object_unref>> owned(stream);
  GError* error = nullptr;
  Handle handle(rsvg_handle_new_from_stream_sync(stream, nullptr, RSVG_HANDLE_FLAG_UNLIMITED,
                                                 nullptr, &error));
  require(handle != nullptr, error);
  rsvg_handle_set_dpi(handle.get(), 96);
  return handle;
}

/// Width and height in units of the drawing.
std::pair<double, double> size_of(const Handle& handle) {
  double width = 0, height = 0;
  if (!rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height))
    drawing_failed("it has no size");
  return {width, height};
}

void draw(const Handle& handle, const Surface& surface, double width, double height) {
  require(cairo_surface_status(surface.get()));
  const Context context(cairo_create(surface.get()));
  const RsvgRectangle whole{0, 0, width, height};
  GError* error = nullptr;
  require(rsvg_handle_render_document(handle.get(), context.get(), &whole, &error), error);
  require(cairo_status(context.get()));
}

cairo_status_t append(void* bytes, const unsigned char* data, unsigned int count) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), count);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

std::string png_of(const std::string& svg) {
  const Handle handle = parsed(svg);
  const auto [width, height] = size_of(handle);
  if (height * kPixels > kMostPixels)
    config_error(
        "a PNG of this figure would be {:.0f} pixels high; expected at most {}: fewer "
        "runs, .svg or .pdf",
        height * kPixels, kMostPixels);
  const Surface surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::lround(width * kPixels)),
                                 static_cast<int>(std::lround(height * kPixels))));
  draw(handle, surface, width * kPixels, height * kPixels);
  std::string bytes;
  require(cairo_surface_write_to_png_stream(surface.get(), append, &bytes));
  return bytes;
}

std::string pdf_of(const std::string& svg, const std::string& title) {
  const Handle handle = parsed(svg);
  const auto [width, height] = size_of(handle);
  std::string bytes;
  const Surface surface(
      cairo_pdf_surface_create_for_stream(append, &bytes, width * kPoints, height * kPoints));
  // What any reader and any LaTeX takes.
  cairo_pdf_surface_restrict_to_version(surface.get(), CAIRO_PDF_VERSION_1_4);
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_TITLE, title.c_str());
  // Without a date equal runs make equal files.
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_CREATE_DATE, "");
  draw(handle, surface, width * kPoints, height * kPoints);
  cairo_surface_finish(surface.get());
  require(cairo_surface_status(surface.get()));
  return bytes;
}

}  // namespace wkvq
