#include "core/base/hdf5/inner_path.h"

namespace wkvq::hdf5 {

std::optional<InnerPath> inner_path(const std::filesystem::path& path) {
  std::error_code error;
  if (!path.has_filename() || !path.has_parent_path() ||
      !std::filesystem::is_regular_file(path.parent_path(), error))
    return std::nullopt;
  return InnerPath{path.parent_path(), path.filename().string()};
}

}  // namespace wkvq::hdf5
