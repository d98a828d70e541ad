#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <sstream>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/files/owner.h"
#include "core/base/files/seal.h"
#include "core/base/files/temporary_file.h"
#include "core/base/hdf5/hdf5.h"

namespace wkvq::hdf5 {
namespace {

constexpr hsize_t kMinChunkBytes = hsize_t{10} << 10;
constexpr hsize_t kMaxChunkBytes = hsize_t{256} << 10;
constexpr size_t kMaxAttributeBytes = size_t{64} << 10;
constexpr size_t kMemoryStep = size_t{1} << 20;

void require_text(const std::string& text, const std::string& where) {
  if (text.find('\0') != std::string::npos)
    config_error("{}: text with a NUL character cannot be stored in HDF5", where);
}

void require_name(const std::string& name) {
  if (name.empty() || name == "." || name.find('/') != std::string::npos)
    config_error("'{}' cannot name an HDF5 attribute or dataset: expected no '/' and not empty",
                 name);
}

template <class T>
Handle memory_type() {
  if constexpr (std::is_same_v<T, float>) return {H5Tcopy(H5T_NATIVE_FLOAT), H5Tclose};
  if constexpr (std::is_same_v<T, double>) return {H5Tcopy(H5T_NATIVE_DOUBLE), H5Tclose};
  if constexpr (std::is_same_v<T, int64_t>) return {H5Tcopy(H5T_NATIVE_INT64), H5Tclose};
  if constexpr (std::is_same_v<T, std::string>) return utf8_type();
}

/// Shuffle + gzip over chunks of kMinChunkBytes to kMaxChunkBytes, whole rows where they fit.
Handle chunked(std::vector<hsize_t> chunk, hsize_t element_bytes) {
  hsize_t row_bytes = element_bytes;
  for (size_t i = 1; i < chunk.size(); ++i) row_bytes *= chunk[i];
  chunk[0] = std::clamp(chunk[0], std::max<hsize_t>(1, kMinChunkBytes / row_bytes),
                        std::max<hsize_t>(1, kMaxChunkBytes / row_bytes));
  for (size_t i = 1; i < chunk.size() && row_bytes > kMaxChunkBytes; ++i) {
    const hsize_t inner_bytes = row_bytes / chunk[i];
    chunk[i] = std::max<hsize_t>(1, kMaxChunkBytes / inner_bytes);
    row_bytes = inner_bytes * chunk[i];
  }
  Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
  H5Pset_shuffle(layout);
  H5Pset_deflate(layout, 4);
  return layout;
}

}  // namespace

Writer::Writer(std::filesystem::path path) : path_(std::move(path)) {
  silence_errors();
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    config_error("{}: cannot create the file: {}", path_.string(), std::strerror(errno));
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_userblock(creation, kSealBytes);
  H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  access_ = Handle(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access_, kMemoryStep, /*backing_store=*/false);
  // This format has checksums over its structure, but no mark of a file that is open.
  H5Pset_libver_bounds(access_, H5F_LIBVER_V18, H5F_LIBVER_V18);
  // HDF5 looks for a file of the name that it is given, also where it keeps all in memory.
  const std::string name = path_.string() + "." + Owner::self().token() + ".memory";
  file_ = Handle(checked(H5Fcreate(name.c_str(), H5F_ACC_EXCL, creation, access_), path_,
                         "cannot create the file"),
                 H5Fclose);
}

const Handle& Writer::open_group(const std::string& group) {
  if (group_.valid() && group == group_name_) return group_;
  Handle order(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_link_creation_order(order, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(order, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  Handle current(checked(H5Gopen2(file_, "/", H5P_DEFAULT), path_, "cannot open the root group"),
                 H5Gclose);
  std::istringstream parts(group);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty()) continue;
    const bool exists = checked(H5Lexists(current, part.c_str(), H5P_DEFAULT), path_, group) > 0;
    const hid_t next = exists ? H5Gopen2(current, part.c_str(), H5P_DEFAULT)
                              : H5Gcreate2(current, part.c_str(), H5P_DEFAULT, order, H5P_DEFAULT);
    current = Handle(checked(next, path_, "cannot open group " + group), H5Gclose);
  }
  group_ = std::move(current);
  group_name_ = group;
  return group_;
}

void Writer::string_dataset(const Handle& group, const std::string& name,
                            const std::string& value) {
  const std::string what = "cannot write text '" + name + "'";
  if (H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0)
    checked(H5Ldelete(group, name.c_str(), H5P_DEFAULT), path_, what);
  const Handle type = utf8_type();
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle dataset(
      checked(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
              path_, what),
      H5Dclose);
  const char* text = value.c_str();
  checked(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text), path_, what);
}

Handle Writer::scalar_attribute(const Handle& group, const std::string& name, const Handle& type,
                                const std::string& what) {
  if (checked(H5Aexists(group, name.c_str()), path_, what) > 0) {
    // Kept where it can be: HDF5 counts creations in 16 bits, a heartbeat would run out of them.
    Handle old(checked(H5Aopen(group, name.c_str(), H5P_DEFAULT), path_, what), H5Aclose);
    if (H5Tequal(Handle(H5Aget_type(old), H5Tclose), type) > 0) return old;
    old.reset();
    checked(H5Adelete(group, name.c_str()), path_, what);
  }
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  return {
      checked(H5Acreate2(group, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), path_, what),
      H5Aclose};
}

void Writer::attribute(const std::string& group_name, const std::string& name,
                       const AttributeValue& value) {
  require_name(name);
  const Handle& group = open_group(group_name);
  const std::string what = "cannot write attribute '" + name + "' of " + group_name;
  const auto* text = std::get_if<std::string>(&value);
  if (text) require_text(*text, what);
  if (text && text->size() > kMaxAttributeBytes) return string_dataset(group, name, *text);

  const Handle type =
      std::visit([](const auto& v) { return memory_type<std::decay_t<decltype(v)>>(); }, value);
  const Handle attribute = scalar_attribute(group, name, type, what);
  const char* characters = text ? text->c_str() : nullptr;
  const void* data = &characters;
  if (const auto* number = std::get_if<int64_t>(&value)) data = number;
  if (const auto* number = std::get_if<double>(&value)) data = number;
  checked(H5Awrite(attribute, type, data), path_, what);
}

void Writer::column(const std::string& group_name, const std::string& name, const Column& values) {
  require_name(name);
  const Handle& group = open_group(group_name);
  const std::string what = "cannot write column '" + name + "' of " + group_name;
  std::visit(
      [&](const auto& rows) {
        using T = typename std::decay_t<decltype(rows)>::value_type;
        const Handle type = memory_type<T>();
        const hsize_t size = rows.size();
        const hsize_t unlimited = H5S_UNLIMITED;
        const Handle space(H5Screate_simple(1, &size, &unlimited), H5Sclose);
        const Handle layout = chunked({size}, H5Tget_size(type));
        const Handle dataset(
            checked(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, layout, H5P_DEFAULT),
                    path_, what),
            H5Dclose);
        if (rows.empty()) return;
        const void* data = rows.data();
        std::vector<const char*> characters;
        if constexpr (std::is_same_v<T, std::string>) {
          for (const std::string& row : rows) {
            require_text(row, what);
            characters.push_back(row.c_str());
          }
          data = characters.data();
        }
        checked(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), path_, what);
      },
      values);
}

void Writer::array(const std::string& group_name, const std::string& name, const Array& values) {
  require_name(name);
  const Handle& group = open_group(group_name);
  const std::string what = "cannot write array '" + name + "' of " + group_name;
  const std::vector<hsize_t> shape(values.shape.begin(), values.shape.end());
  const hsize_t count =
      std::accumulate(shape.begin(), shape.end(), hsize_t{1}, std::multiplies<hsize_t>());
  if (count != values.values.size())
    config_error("{}: {}: {} values given, the shape holds {}", path_.string(), what,
                 values.values.size(), count);
  const Handle type = memory_type<double>();
  const Handle space(shape.empty()
                         ? H5Screate(H5S_SCALAR)
                         : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  const bool small = count * sizeof(double) < kMinChunkBytes;
  const Handle layout =
      small ? Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose) : chunked(shape, sizeof(double));
  const Handle dataset(
      checked(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, layout, H5P_DEFAULT), path_,
              what),
      H5Dclose);
  if (count == 0) return;
  checked(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.values.data()), path_,
          what);
}

void Writer::close() {
  group_.reset();
  checked(H5Fflush(file_, H5F_SCOPE_GLOBAL), path_, "cannot write the file");
  const auto bytes = static_cast<size_t>(
      checked(H5Fget_file_image(file_, nullptr, 0), path_, "cannot write the file"));
  std::vector<char> content(bytes);
  checked(H5Fget_file_image(file_, content.data(), bytes), path_, "cannot write the file");
  // The image has the flags of the superblock cleared, which its checksum covers.
  constexpr size_t kFlags = 11;
  void* place = nullptr;
  checked(H5Fget_vfd_handle(file_, access_, &place), path_, "cannot write the file");
  content.at(kFlags) = (*static_cast<char**>(place))[kSealBytes + kFlags];
  const std::string seal = seal_of(content.data(), bytes);
  TemporaryFile out(path_);
  out.write(seal.data(), seal.size());
  out.write(content.data(), bytes);
  out.commit();
  checked(file_.reset(), path_, "cannot close the file");
}

}  // namespace wkvq::hdf5
