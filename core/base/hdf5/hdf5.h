#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hdf5/hdf5_handle.h"
#include "core/base/recorder.h"

namespace wkvq::hdf5 {

using NamedAttributes = std::vector<std::pair<std::string, AttributeValue>>;

/// Writes a new HDF5 file so that h5py and pandas read it without help: strings are variable-length
/// UTF-8, groups keep the order of creation, columns are chunked (10 KiB to 1 MiB), shuffled,
/// gzipped and extensible. Groups appear when first written to. Every failure is a ConfigError with
/// HDF5's message. One thread at a time. All of it stays in memory until close(): HDF5 itself never
/// writes to a disk, where a full one would crash it when the program ends.
class Writer {
 public:
  /// ConfigError where the folder of `path` cannot be written.
  explicit Writer(std::filesystem::path path);

  /// Sets or replaces. A string above 64 KiB becomes a scalar dataset of that name.
  void attribute(const std::string& group, const std::string& name, const AttributeValue& value);
  void column(const std::string& group, const std::string& name, const Column& values);
  void array(const std::string& group, const std::string& name, const Array& values);
  /// Everything in HDF5 file `source`, or in a run of a merged one, becomes group `group`, bit for
  /// bit; `group` must not exist, and `source` must be undamaged (Reader says so).
  void copy(const std::filesystem::path& source, const std::string& group);
  /// Makes `path` appear with a seal (core/base/files/seal.h), whole or not at all, in place of an older
  /// file. WriteError where the disk does not take it. Without it nothing is written.
  void close();

 private:
  const Handle& open_group(const std::string& group);
  void string_dataset(const Handle& group, const std::string& name, const std::string& value);
  Handle scalar_attribute(const Handle& group, const std::string& name, const Handle& type,
                          const std::string& what);

  std::filesystem::path path_;
  Handle access_;
  Handle file_;
  std::string group_name_;  ///< of the group written to last, which stays open
  Handle group_;
};

/// Reads a file that may come from anywhere: its seal, types, shapes and sizes are checked before
/// memory is taken, links to other files are not followed, and whatever is wrong is a ConfigError.
/// "FILE.h5/RUN", with FILE.h5 a file, is run RUN in a merged file (InnerPath): groups are those
/// below it.
class Reader {
 public:
  explicit Reader(std::filesystem::path path);

  bool has_group(const std::string& group) const;
  /// Names of the sub-groups or datasets of `group` in order of creation; none where it is missing.
  std::vector<std::string> groups(const std::string& group) const;
  std::vector<std::string> datasets(const std::string& group) const;

  /// Nothing where it is missing; long strings are found in their datasets.
  std::optional<AttributeValue> attribute(const std::string& group, const std::string& name) const;
  /// All attributes of `group` in order of creation; none where it is missing.
  NamedAttributes attributes(const std::string& group) const;

  /// Integers as int64, float32 as float, other floats as double, strings as UTF-8.
  Column column(const std::string& group, const std::string& name) const;
  Array array(const std::string& group, const std::string& name) const;

 private:
  std::vector<std::string> children(const std::string& group, H5O_type_t type) const;
  Handle open(const std::string& group, const std::string& name, H5O_type_t type) const;

  std::filesystem::path path_;
  std::string root_;  ///< group that paths begin at; empty: the file's own
  Handle file_;
};

}  // namespace wkvq::hdf5
