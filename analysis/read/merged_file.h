#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace wkvq {

/// Value of the root attribute `schema` of merged files.
inline constexpr const char* kMergedSchema = "wkvq-merged-1";

/// The runs in merged file `path`, as paths below it; nothing where it is no such file, or damaged.
std::optional<std::vector<std::filesystem::path>> merged_runs(const std::filesystem::path& path);

}  // namespace wkvq
