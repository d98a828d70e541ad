#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

namespace wkvq {

/// Options of `wkvq pack`.
struct PackOptions {
  std::string model;             ///< as GenerateOptions::model
  std::filesystem::path config;  ///< as GenerateOptions::config
  std::filesystem::path out;     ///< must not exist
  std::filesystem::path results = "results";
};

/// Quantizes a model and writes its packed blocks to one file, which `wkvq generate --packed` reads
/// beside the model's own embedding and head. ConfigError for what cannot be packed. Returns the
/// exit code.
int pack_command(const PackOptions& options, std::ostream& report);

}  // namespace wkvq
