#include "analysis/figures/svg.h"

#include <fmt/format.h>

#include "analysis/figures/svg_parts.h"
#include "analysis/tables/markup.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

/// Okabe and Ito's colours, which colour-blind readers tell apart, yellow darkened on white.
constexpr const char* kStyle = R"(
.figure{--ink:#1b1f24;--soft:#5b636d;--grid:#e3e6ea;--paper:#fff;--heat:#a3260b;--s0:#0072b2;
--s1:#d55e00;--s2:#009e73;--s3:#b0497f;--s4:#8a6d00;--s5:#3a9bd6;--s6:#1b1f24;--s7:#7a5cc0}
@media (prefers-color-scheme:dark){.figure{--ink:#e6e9ee;--soft:#a3abb6;--grid:#30363d;
--paper:#14181d;--heat:#ff8a5c;--s0:#58b0f0;--s1:#ff8f4a;--s2:#36c79b;--s3:#e58cbc;--s4:#e0c040;
--s5:#9fd3f7;--s6:#e6e9ee;--s7:#b59cf2}}
.figure text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:var(--soft)}
.figure text.title{font-size:13px;font-weight:600;fill:var(--ink)}
.figure text.number{text-anchor:middle;fill:var(--ink)}
.figure text.over{text-anchor:middle;fill:var(--paper)}
.figure .grid{stroke:var(--grid)}.figure .axis{stroke:var(--soft);fill:none}
.figure .line{stroke:var(--c);fill:none;stroke-width:1.6;stroke-linejoin:round}
.figure .front{stroke:var(--soft);stroke-dasharray:4 3}
.figure .error{stroke:var(--c);stroke-width:1.2}.figure .mark{fill:var(--c);stroke:var(--paper)}
.figure .bar{fill:var(--c)}.figure .heat{fill:var(--heat)}
.figure .worst{stroke:var(--ink);stroke-width:1.6}
.figure .paper{fill:var(--paper)}.figure .off{display:none}
.figure .s0{--c:var(--s0)}.figure .s1{--c:var(--s1)}.figure .s2{--c:var(--s2)}
.figure .s3{--c:var(--s3)}.figure .s4{--c:var(--s4)}.figure .s5{--c:var(--s5)}
.figure .s6{--c:var(--s6)}.figure .s7{--c:var(--s7)}
)";

svg::Drawing drawing_of(const Panel& panel) {
  return std::visit([](const auto& drawing) { return svg::draw(drawing); }, panel.drawing);
}

}  // namespace

std::string figure_style() {
  return kStyle;
}

std::string svg_element(const Panel& panel, const std::string& id) {
  const svg::Drawing drawing = drawing_of(panel);
  return fmt::format(
      "<svg class=\"figure\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {:.0f}\" "
      "role=\"img\" aria-labelledby=\"{}-title {}-desc\">\n<title id=\"{}-title\">{}</title>\n"
      "<desc id=\"{}-desc\">{}</desc>\n{}</svg>\n",
      svg::kWidth, drawing.height, id, id, id, escaped(panel.title), id, escaped(panel.note),
      drawing.markup);
}

std::string svg_file(const FigureResult& figure, const std::string& title) {
  std::string body;
  double y = 8;
  const auto lines = [&](const std::string& words, const char* attributes) {
    for (const std::string& line :
         wrapped(printable(words), static_cast<size_t>(svg::kWidth / svg::kLetter)))
      if (!line.empty()) body += svg::text(8, y += svg::kLine, line, attributes);
  };
  for (const Panel& panel : figure.panels) {
    lines(panel.title, "class=\"title\"");
    const svg::Drawing drawing = drawing_of(panel);
    body += fmt::format("<g transform=\"translate(0 {:.1f})\">\n{}</g>\n", y + 6, drawing.markup);
    y += 6 + drawing.height;
    lines(panel.note, "");
    y += svg::kLine;
  }
  lines(figure.note, "");
  return fmt::format(
      "<svg class=\"figure\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0} {1:.0f}\" role=\"img\">\n<title>{2}</title>\n<style>{3}</style>\n"
      "<rect class=\"paper\" width=\"{0}\" height=\"{1:.0f}\"/>\n{4}</svg>\n",
      svg::kWidth, y + 8, escaped(title), kStyle, body);
}

}  // namespace wkvq
