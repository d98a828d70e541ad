#pragma once

#include <filesystem>
#include <ostream>

namespace wkvq {

/// Prints one run file: facts, configuration, evaluations with their conventions, cost, llama.cpp's
/// statistics where there is a KL divergence, the worst heads, and per block the scalar statistics
/// and the range of each array. Returns 0; ConfigError where it cannot
/// be read.
int show_command(const std::filesystem::path& path, std::ostream& out);

}  // namespace wkvq
