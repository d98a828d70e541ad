#pragma once

#include <filesystem>
#include <ostream>
#include <string>

namespace wkvq {

/// Prints one run file in one of section_formats(): facts, configuration, evaluations with their conventions, cost, llama.cpp's
/// statistics where there is a KL divergence, the worst heads, and per block the scalar statistics
/// and the range of each array. Returns 0; ConfigError where it cannot
/// be read.
int show_command(const std::filesystem::path& path, const std::string& format, std::ostream& out);

}  // namespace wkvq
