#include <fmt/format.h>

#include "analysis/figures/figure.h"
#include "analysis/figures/svg.h"
#include "analysis/html/sections.h"
#include "analysis/tables/markup.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

std::string section(const Figure& figure, const FigureResult& result) {
  std::string html = fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", figure.name, figure.title);
  if (result.panels.empty())
    return html + "<p class=\"absent\">" + escaped(result.absent) + "</p>\n</section>\n";
  html += fmt::format("<p>{}</p>\n", escaped(figure.about));
  if (!result.note.empty()) html += "<p>" + escaped(result.note) + "</p>\n";
  html += "<div class=\"panels\">\n";
  for (size_t i = 0; i < result.panels.size(); ++i)
    html += fmt::format("<figure>\n<figcaption><strong>{}</strong> {}</figcaption>\n{}</figure>\n",
                        escaped(result.panels[i].title), escaped(result.panels[i].note),
                        svg_element(result.panels[i], fmt::format("{}-{}", figure.name, i)));
  return html + "</div>\n</section>\n";
}

}  // namespace

std::string figure_sections(const std::vector<RunSummary>& runs) {
  const FigureInput input = figure_input(runs);
  std::string html;
  for (const Figure& figure : figures()) {
    FigureResult result;
    try {
      result = figure.make(input);
    } catch (const ConfigError& error) {
      result.absent = std::string("Not drawn: ") + error.what();
    }
    html += section(figure, result);
  }
  return html;
}

}  // namespace wkvq
