#include "core/base/hdf5/hdf5_values.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/hdf5/inner_path.h"

namespace wkvq::hdf5 {
namespace {

constexpr hsize_t kMaxBytes = hsize_t{1} << 30;      // of one dataset in memory
constexpr hsize_t kMaxChunk = hsize_t{64} << 20;     // HDF5 takes memory for a whole chunk
constexpr hsize_t kFreeBytes = hsize_t{1} << 20;     // claims below are taken without a question
constexpr hsize_t kGzipRatio = 1100;                 // deflate reaches 1032 at most
constexpr size_t kMaxFixedString = size_t{1} << 20;  // bytes

hsize_t product(const std::vector<hsize_t>& factors, hsize_t start, const Place& place) {
  hsize_t result = start;
  for (hsize_t factor : factors) {
    if (factor != 0 && result > std::numeric_limits<hsize_t>::max() / factor)
      place.reject("its size overflows");
    result *= factor;
  }
  return result;
}

/// Refuses layouts that reach outside the file or claim more memory than stored bytes can explain.
std::vector<hsize_t> checked_shape(const Handle& dataset, const Handle& type, const Place& place) {
  const hsize_t element_bytes = H5Tget_size(type);
  const Handle space(place.check(H5Dget_space(dataset)), H5Sclose);
  const Handle layout(place.check(H5Dget_create_plist(dataset)), H5Pclose);
  const int rank = place.check(H5Sget_simple_extent_ndims(space));
  std::vector<hsize_t> shape(static_cast<size_t>(rank));
  if (rank > 0) place.check(H5Sget_simple_extent_dims(space, shape.data(), nullptr));
  const H5D_layout_t kind = place.check(H5Pget_layout(layout));
  if (kind == H5D_VIRTUAL || H5Pget_external_count(layout) > 0)
    place.reject("its data lie in other files");
  if (kind == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(shape.size());
    place.check(H5Pget_chunk(layout, rank, chunk.data()));
    if (product(chunk, element_bytes, place) > kMaxChunk) place.reject("chunks above 64 MiB");
  }
  const hsize_t bytes = product(shape, element_bytes, place);
  const hsize_t in_memory = product(shape, std::max<hsize_t>(element_bytes, 8), place);
  const auto inner = inner_path(place.path);
  const hsize_t stored = std::min<hsize_t>(
      H5Dget_storage_size(dataset), std::filesystem::file_size(inner ? inner->file : place.path));
  if (in_memory > kMaxBytes || (bytes > kFreeBytes && bytes / kGzipRatio > stored))
    place.reject(fmt::format("claims {} bytes, stores {}", bytes, stored));
  return shape;
}

bool is_variable_string(const Handle& type) {
  return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0;
}

/// A variable-length string type with the file's character set (HDF5 does not convert these).
Handle like(const Handle& type) {
  Handle memory = utf8_type();
  H5Tset_cset(memory, H5Tget_cset(type));
  return memory;
}

struct FreeHdf5 {
  void operator()(char* text) const { H5free_memory(text); }
};
using Text = std::unique_ptr<char, FreeHdf5>;

std::string fixed_string(std::string bytes) {
  bytes.resize(std::min(bytes.find('\0'), bytes.size()));
  return bytes;
}

/// `read` fills memory of the type that it is given.
template <class Read>
AttributeValue read_scalar(const Handle& type, const Place& place, Read&& read) {
  const H5T_class_t kind = H5Tget_class(type);
  if (is_variable_string(type)) {
    char* raw = nullptr;
    const herr_t result = read(like(type), &raw);
    const Text text(raw);
    place.check(result);
    return std::string(text ? text.get() : "");
  }
  const size_t size = H5Tget_size(type);
  if (kind == H5T_STRING && size > 0 && size <= kMaxFixedString) {
    std::string bytes(size, '\0');
    place.check(read(type, bytes.data()));
    return fixed_string(std::move(bytes));
  }
  if (kind == H5T_INTEGER && size <= sizeof(int64_t)) {
    int64_t value = 0;
    place.check(read(H5T_NATIVE_INT64, &value));
    return value;
  }
  if (kind == H5T_FLOAT && size <= sizeof(double)) {
    double value = 0;
    place.check(read(H5T_NATIVE_DOUBLE, &value));
    return value;
  }
  place.reject("unsupported type; expected a number of at most 8 bytes or a string");
}

template <class T>
std::vector<T> read_numbers(const Handle& dataset, hid_t memory, size_t count, const Place& place) {
  std::vector<T> values(count);
  if (count == 0) return values;
  place.check(H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  return values;
}

std::vector<std::string> read_strings(const Handle& dataset, const Handle& type, size_t count,
                                      const Place& place) {
  std::vector<std::string> rows;
  if (count == 0) return rows;
  const Handle space(place.check(H5Dget_space(dataset)), H5Sclose);
  const Handle memory = like(type);
  // Many rows may point at one long text.
  hsize_t bytes = 0;
  place.check(H5Dvlen_get_buf_size(dataset, memory, space, &bytes));
  if (bytes > kMaxBytes) place.reject(fmt::format("holds {} bytes of text", bytes));
  std::vector<char*> raw(count, nullptr);
  const herr_t result = H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data());
  for (char* characters : raw) {
    const Text text(characters);
    rows.emplace_back(text ? text.get() : "");
  }
  place.check(result);
  return rows;
}

}  // namespace

AttributeValue read_attribute(const Handle& attribute, const Place& place) {
  const Handle type(place.check(H5Aget_type(attribute)), H5Tclose);
  const Handle space(place.check(H5Aget_space(attribute)), H5Sclose);
  if (H5Sget_simple_extent_type(space) != H5S_SCALAR) place.reject("not a scalar");
  return read_scalar(type, place,
                     [&](hid_t memory, void* out) { return H5Aread(attribute, memory, out); });
}

AttributeValue read_scalar_dataset(const Handle& dataset, const Place& place) {
  const Handle type(place.check(H5Dget_type(dataset)), H5Tclose);
  if (!checked_shape(dataset, type, place).empty()) place.reject("not a scalar");
  return read_scalar(type, place, [&](hid_t memory, void* out) {
    return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  });
}

Column read_column(const Handle& dataset, const Place& place) {
  const Handle type(place.check(H5Dget_type(dataset)), H5Tclose);
  const size_t size = H5Tget_size(type);
  const std::vector<hsize_t> shape = checked_shape(dataset, type, place);
  if (shape.size() != 1) place.reject(fmt::format("{} dimensions; expected 1", shape.size()));
  const size_t count = shape[0];
  if (is_variable_string(type)) return read_strings(dataset, type, count, place);
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_INTEGER && size <= sizeof(int64_t))
    return read_numbers<int64_t>(dataset, H5T_NATIVE_INT64, count, place);
  if (kind == H5T_FLOAT && size == sizeof(float))
    return read_numbers<float>(dataset, H5T_NATIVE_FLOAT, count, place);
  if (kind == H5T_FLOAT && size <= sizeof(double))
    return read_numbers<double>(dataset, H5T_NATIVE_DOUBLE, count, place);
  place.reject("unsupported type; expected numbers or variable-length strings");
}

Array read_array(const Handle& dataset, const Place& place) {
  const Handle type(place.check(H5Dget_type(dataset)), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_FLOAT && kind != H5T_INTEGER) place.reject("not numbers");
  const std::vector<hsize_t> shape = checked_shape(dataset, type, place);
  Array result;
  result.shape.assign(shape.begin(), shape.end());
  const size_t count = product(shape, 1, place);
  result.values = read_numbers<double>(dataset, H5T_NATIVE_DOUBLE, count, place);
  return result;
}

}  // namespace wkvq::hdf5
