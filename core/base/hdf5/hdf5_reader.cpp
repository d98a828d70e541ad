#include <sstream>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"
#include "core/base/files/seal.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/hdf5/hdf5_values.h"
#include "core/base/hdf5/inner_path.h"

namespace wkvq::hdf5 {
namespace {

herr_t collect_link(hid_t, const char* name, const H5L_info_t* info, void* names) {
  if (info->type == H5L_TYPE_HARD) static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

}  // namespace

Reader::Reader(std::filesystem::path path) : path_(std::move(path)) {
  silence_errors();
  const auto inner = inner_path(path_);
  const std::filesystem::path& file = inner ? inner->file : path_;
  require_regular_file(file);
  if (!inner) {
    check_seal(file);
  } else {
    root_ = inner->group();
    check_seal_once(file);
  }
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // A file that has its name never changes: no lock is needed, and some file systems have none.
  H5Pset_file_locking(access, false, true);
  file_ = Handle(
      checked(H5Fopen(file.c_str(), H5F_ACC_RDONLY, access), path_, "not a readable HDF5 file"),
      H5Fclose);
  if (inner && !has_group("/")) config_error("{}: no run '{}'", file.string(), inner->run);
}

Handle Reader::open(const std::string& group, const std::string& name, H5O_type_t type) const {
  Handle current(checked(H5Oopen(file_, "/", H5P_DEFAULT), path_, "no root group"), H5Oclose);
  std::istringstream parts(root_ + "/" + group + "/" + name);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty()) continue;
    H5L_info_t link;
    // Soft and external links could lead anywhere.
    if (H5Iget_type(current) != H5I_GROUP ||
        H5Lget_info(current, part.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
      return {};
    current = Handle(checked(H5Oopen(current, part.c_str(), H5P_DEFAULT), path_,
                             "cannot open '" + part + "' of " + group),
                     H5Oclose);
  }
  const H5I_type_t expected = type == H5O_TYPE_GROUP ? H5I_GROUP : H5I_DATASET;
  if (H5Iget_type(current) != expected) return {};
  return current;
}

bool Reader::has_group(const std::string& group) const {
  return open(group, "", H5O_TYPE_GROUP).valid();
}

std::vector<std::string> Reader::children(const std::string& group_name, H5O_type_t type) const {
  std::vector<std::string> all;
  const Handle group = open(group_name, "", H5O_TYPE_GROUP);
  if (!group.valid()) return all;
  if (H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, collect_link, &all) < 0) {
    all.clear();
    checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &all), path_,
            "cannot list " + group_name);
  }
  std::erase_if(all, [&](const auto& name) { return !open(group_name, name, type).valid(); });
  return all;
}

std::vector<std::string> Reader::groups(const std::string& group) const {
  return children(group, H5O_TYPE_GROUP);
}

std::vector<std::string> Reader::datasets(const std::string& group) const {
  return children(group, H5O_TYPE_DATASET);
}

std::optional<AttributeValue> Reader::attribute(const std::string& group_name,
                                                const std::string& name) const {
  const Place place{path_, "attribute '" + name + "' of " + group_name};
  const Handle group = open(group_name, "", H5O_TYPE_GROUP);
  if (!group.valid()) return std::nullopt;
  if (place.check(H5Aexists(group, name.c_str())) > 0) {
    const Handle attribute(place.check(H5Aopen(group, name.c_str(), H5P_DEFAULT)), H5Aclose);
    return read_attribute(attribute, place);
  }
  const Handle dataset = open(group_name, name, H5O_TYPE_DATASET);
  if (!dataset.valid()) return std::nullopt;
  return read_scalar_dataset(dataset, place);
}

NamedAttributes Reader::attributes(const std::string& group_name) const {
  NamedAttributes result;
  const Handle group = open(group_name, "", H5O_TYPE_GROUP);
  if (!group.valid()) return result;
  std::vector<std::string> names;
  if (H5Aiterate2(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, collect_attribute, &names) < 0) {
    names.clear();
    checked(H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_attribute, &names),
            path_, "cannot list the attributes of " + group_name);
  }
  for (const std::string& name : names)
    if (auto value = attribute(group_name, name)) result.emplace_back(name, *std::move(value));
  return result;
}

Column Reader::column(const std::string& group, const std::string& name) const {
  const Place place{path_, "column '" + name + "' of " + group};
  const Handle dataset = open(group, name, H5O_TYPE_DATASET);
  if (!dataset.valid()) place.reject("missing");
  return read_column(dataset, place);
}

Array Reader::array(const std::string& group, const std::string& name) const {
  const Place place{path_, "array '" + name + "' of " + group};
  const Handle dataset = open(group, name, H5O_TYPE_DATASET);
  if (!dataset.valid()) place.reject("missing");
  return read_array(dataset, place);
}

}  // namespace wkvq::hdf5
