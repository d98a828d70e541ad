#pragma once

#include <filesystem>
#include <ostream>
#include <vector>

namespace wkvq {

/// The first lines of the table of run files `paths`, as `wkvq report` prints it; nothing where
/// there is none.
void first_rows(const std::vector<std::filesystem::path>& paths, std::ostream& out);

}  // namespace wkvq
