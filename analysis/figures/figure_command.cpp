#include "analysis/figures/figure_command.h"

#include <fmt/ostream.h>

#include <algorithm>

#include "analysis/compare/baseline.h"
#include "analysis/figures/figure.h"
#include "analysis/figures/picture.h"
#include "analysis/read/damaged_runs.h"
#include "analysis/read/load_runs.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"

namespace wkvq {

int figure_command(const FigureOptions& options, std::ostream& out) {
  if (options.list) {
    for (const Figure& figure : figures())
      fmt::print(out, "{:<10}{}: {}\n", figure.name, figure.title, figure.about);
    return 0;
  }
  const Figure& figure = figure_named(options.name);
  if (options.paths.empty()) config_error("figure {}: no run files given", figure.name);
  require_picture_ending(options.out);
  std::vector<RunSummary> runs = load_runs(options.paths);
  note_damaged(runs);
  std::ranges::stable_partition(runs, is_full_precision);
  const FigureResult result = figure.make(figure_input(runs));
  if (result.panels.empty()) config_error("figure {}: {}", figure.name, result.absent);
  const std::string bytes = picture(result, figure.title, options.out);
  TemporaryFile file(options.out);
  file.write(bytes.data(), bytes.size());
  file.commit();
  fmt::print(out, "{}: {} panels of {} runs\n", options.out.string(), result.panels.size(),
             runs.size());
  return 0;
}

}  // namespace wkvq
