#pragma once

#include <filesystem>
#include <ostream>
#include <string>

namespace wkvq {

/// What `wkvq new` was asked for.
struct NewSweepOptions {
  std::filesystem::path file;  ///< to be written; must not exist
  std::string model = "mini";
  std::string method = "rtn";
  std::string task = "perplexity";
  std::filesystem::path text;  ///< evaluated text; empty: sampled from the model
};

/// Writes a commented sweep file that `wkvq plan` takes. ConfigError where a name is unknown, the
/// model is not there, or the file exists.
int new_command(const NewSweepOptions& options, std::ostream& out);

}  // namespace wkvq
