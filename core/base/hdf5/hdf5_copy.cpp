#include "core/base/hdf5/hdf5.h"
#include "core/base/hdf5/inner_path.h"

namespace wkvq::hdf5 {

void Writer::copy(const std::filesystem::path& source, const std::string& group) {
  const Reader reader(source);
  const auto inner = inner_path(source);
  const std::string root = inner ? inner->group() : "";
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(access, false, true);
  const std::string name = (inner ? inner->file : source).string();
  const Handle file(
      checked(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access), source, "cannot be read"), H5Fclose);
  // HDF5 1.10 crashes where it copies groups with many attributes of text: it copies data sets only.
  const auto below = [&](const std::string& from, const auto& again) -> void {
    const std::string to = group + from;
    open_group(to);
    for (const auto& [attribute_name, value] : reader.attributes(from + "/"))
      attribute(to, attribute_name, value);
    for (const std::string& dataset : reader.datasets(from + "/")) {
      const std::string place = root + from + "/" + dataset;
      checked(
          H5Ocopy(file, place.c_str(), open_group(to), dataset.c_str(), H5P_DEFAULT, H5P_DEFAULT),
          path_, "cannot copy " + place + " of " + source.string());
    }
    for (const std::string& next : reader.groups(from + "/")) again(from + "/" + next, again);
  };
  below("", below);
}

}  // namespace wkvq::hdf5
