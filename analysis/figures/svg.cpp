#include "analysis/figures/svg.h"

#include <fmt/format.h>

#include <array>

#include "analysis/figures/svg_parts.h"
#include "analysis/tables/markup.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

struct Colour {
  const char* name;
  const char* light;
  const char* dark;
};

/// s0 to s7: Okabe and Ito's colours, which colour-blind readers tell apart, yellow darkened on
/// white.
constexpr std::array<Colour, 13> kColours{{{"ink", "#1b1f24", "#e6e9ee"},
                                           {"soft", "#5b636d", "#a3abb6"},
                                           {"grid", "#e3e6ea", "#30363d"},
                                           {"paper", "#ffffff", "#14181d"},
                                           {"heat", "#a3260b", "#ff8a5c"},
                                           {"s0", "#0072b2", "#58b0f0"},
                                           {"s1", "#d55e00", "#ff8f4a"},
                                           {"s2", "#009e73", "#36c79b"},
                                           {"s3", "#b0497f", "#e58cbc"},
                                           {"s4", "#8a6d00", "#e0c040"},
                                           {"s5", "#3a9bd6", "#9fd3f7"},
                                           {"s6", "#1b1f24", "#e6e9ee"},
                                           {"s7", "#7a5cc0", "#b59cf2"}}};

/// `$ink` stands for a colour.
constexpr const char* kRules = R"(
.figure text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:$soft}
.figure text.title{font-size:13px;font-weight:600;fill:$ink}
.figure text.number{text-anchor:middle;fill:$ink}
.figure text.over{text-anchor:middle;fill:$paper}
.figure .grid{stroke:$grid}.figure .axis{stroke:$soft;fill:none}
.figure .line{stroke:currentColor;fill:none;stroke-width:1.6;stroke-linejoin:round}
.figure .front{stroke:$soft;stroke-dasharray:4 3}
.figure .error{stroke:currentColor;stroke-width:1.2}
.figure .mark{fill:currentColor;stroke:$paper}
.figure .bar{fill:currentColor}.figure .heat{fill:$heat}
.figure .worst{stroke:$ink;stroke-width:1.6}
.figure .paper{fill:$paper}.figure .off{display:none}
.figure .s0{color:$s0}.figure .s1{color:$s1}.figure .s2{color:$s2}.figure .s3{color:$s3}
.figure .s4{color:$s4}.figure .s5{color:$s5}.figure .s6{color:$s6}.figure .s7{color:$s7}
)";

/// kRules with each `$name` as `colour_text` has it.
template <class ColourText>
std::string rules(ColourText&& colour_text) {
  std::string text = kRules;
  for (const Colour& colour : kColours) {
    const std::string name = std::string("$") + colour.name;
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
      text.replace(at, name.size(), colour_text(colour));
  }
  return text;
}

std::string style_of(Colours colours) {
  // Not every program that draws SVG knows variables of CSS.
  if (colours == Colours::kLight)
    return rules([](const Colour& colour) { return std::string(colour.light); });
  std::string light, dark;
  for (const Colour& colour : kColours) {
    light += fmt::format("--{}:{};", colour.name, colour.light);
    dark += fmt::format("--{}:{};", colour.name, colour.dark);
  }
  return fmt::format(
             "\n.figure{{{}}}\n@media screen and (prefers-color-scheme:dark){{.figure{{{}}}}}",
             light, dark) +
         rules([](const Colour& colour) { return fmt::format("var(--{})", colour.name); });
}

svg::Drawing drawing_of(const Panel& panel) {
  return std::visit([](const auto& drawing) { return svg::draw(drawing); }, panel.drawing);
}

}  // namespace

std::string figure_style() {
  return style_of(Colours::kOfReader);
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

std::string svg_file(const FigureResult& figure, const std::string& title, Colours colours) {
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
      svg::kWidth, y + 8, escaped(title), style_of(colours), body);
}

}  // namespace wkvq
