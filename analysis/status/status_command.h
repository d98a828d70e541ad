#pragma once

#include <filesystem>
#include <ostream>
#include <string>

namespace wkvq {

/// Prints what is running in a results folder (where, since when, its last sign of life, what it is
/// doing), what failed and why, which claims are stale, and how much is done. `format`: table or
/// json. Returns the exit code; ConfigError where there is no such folder.
int status_command(const std::filesystem::path& folder, const std::string& format,
                   std::ostream& out);

}  // namespace wkvq
