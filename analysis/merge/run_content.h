#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace wkvq {

/// A hash of what a run found and by which settings, by group of its file: configuration,
/// fingerprints, evaluations with their rows, calibration, statistics. Times, costs and the machine
/// are left out: two processes that did the same run on the same kind of processor have equal ones.
/// ConfigError where the file cannot be read.
std::map<std::string, std::string> run_content(const std::filesystem::path& run);

}  // namespace wkvq
