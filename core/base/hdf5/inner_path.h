#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace wkvq::hdf5 {

/// Where merged files keep their runs, one group each.
inline constexpr const char* kMergedRuns = "/runs";

/// A run inside a merged file, named as if the file were a folder: "all.h5/RUN".
struct InnerPath {
  std::filesystem::path file;
  std::string run;

  std::string group() const { return std::string(kMergedRuns) + "/" + run; }
};

/// Nothing where `path` is not of that form: what stands before its last part is no regular file.
std::optional<InnerPath> inner_path(const std::filesystem::path& path);

}  // namespace wkvq::hdf5
