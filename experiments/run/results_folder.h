#pragma once

#include <filesystem>

namespace wkvq {

/// Makes `folder` where it is missing and cleans its cache of what dead processes left. ConfigError
/// unless it can be written, before any model is loaded.
void require_writable(const std::filesystem::path& folder);

/// Where sampled text is kept between commands.
std::filesystem::path cache_folder(const std::filesystem::path& results);

}  // namespace wkvq
