#pragma once

#include <filesystem>

namespace wkvq {

/// Opens the regular file at `path`, or that a link there leads to, for reading; the caller closes
/// the descriptor. ConfigError says what is there instead: nothing, a folder, a pipe, a socket, a
/// device. Never waits: opening a pipe without a writer would.
int open_regular_file(const std::filesystem::path& path);

/// The same check for libraries that open files by themselves.
void require_regular_file(const std::filesystem::path& path);

}  // namespace wkvq
