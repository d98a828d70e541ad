#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace wkvq {

/// What `wkvq figure` was asked for.
struct FigureOptions {
  std::string name;
  std::vector<std::filesystem::path> paths;  ///< run files, or folders searched for *.h5
  std::filesystem::path out;                 ///< *.svg, *.png or *.pdf
  bool list = false;                         ///< only say which figures there are
};

/// Draws one figure of the finished runs into a file. Returns 0; ConfigError for a name, path
/// or output that cannot be used, and where the runs have nothing to draw.
int figure_command(const FigureOptions& options, std::ostream& out);

}  // namespace wkvq
