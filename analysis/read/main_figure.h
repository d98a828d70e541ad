#pragma once

#include <filesystem>
#include <string>

namespace wkvq {

/// The first number of a run file: "perplexity 25.3 ± 2.2 (self, kv past)". ConfigError where the
/// file cannot be read.
std::string main_figure(const std::filesystem::path& path);

}  // namespace wkvq
