#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "core/cache/storage.h"
#include "core/generate/sampling.h"

namespace wkvq {

/// Options of `wkvq generate`.
struct GenerateOptions {
  std::string model;  ///< folder; empty: that of the configuration
  /// A sweep file with one run, or a run file: its method, calibration, trained parameters; empty:
  /// full precision.
  std::filesystem::path config;
  std::filesystem::path packed;  ///< a file of pack_command, instead of a configuration
  std::optional<std::string> prompt;
  std::filesystem::path prompt_file;  ///< exactly one of the two
  int64_t max_tokens = 128;
  SamplingOptions sampling;
  std::vector<std::string> stop;
  Storage storage = Storage::kSimulated;      ///< of weights and cache
  std::string device;                         ///< over the configuration's, where not empty
  std::filesystem::path results = "results";  ///< sampled calibration text is kept there
};

/// Writes what the model says after the prompt to `out` as it comes, and speed, lengths and the
/// sizes of weights and cache to `report`. In mode past the prompt attends in full precision, as
/// deployed. ConfigError for options that cannot be used. Returns the exit code.
int generate_command(const GenerateOptions& options, std::ostream& out, std::ostream& report);

}  // namespace wkvq
