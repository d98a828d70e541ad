#pragma once

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/hdf5/hdf5_handle.h"
#include "core/base/recorder.h"

namespace wkvq::hdf5 {

/// What is being read, for messages.
struct Place {
  const std::filesystem::path& path;
  std::string what;

  template <class T>
  T check(T result) const {
    return checked(result, path, what);
  }
  [[noreturn]] void reject(const std::string& why) const {
    config_error("{}: {}: {}", path.string(), what, why);
  }
};

/// Values of open HDF5 objects. Types, shapes and sizes are checked before memory is taken; at most
/// 1 GiB of one dataset is read.
AttributeValue read_attribute(const Handle& attribute, const Place& place);
AttributeValue read_scalar_dataset(const Handle& dataset, const Place& place);
Column read_column(const Handle& dataset, const Place& place);
Array read_array(const Handle& dataset, const Place& place);

}  // namespace wkvq::hdf5
