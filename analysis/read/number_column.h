#pragma once

#include <string>
#include <vector>

#include "core/base/hdf5/hdf5.h"

namespace wkvq {

/// A column of numbers; empty where `group` has none of that name. ConfigError where it holds text.
std::vector<double> number_column(const hdf5::Reader& file, const std::string& group,
                                  const std::string& name);

/// An array of numbers; empty where `group` has none of that name.
Array number_array(const hdf5::Reader& file, const std::string& group, const std::string& name);

/// The groups "block_00", "block_01", ... of `group` in order.
std::vector<std::string> block_groups(const hdf5::Reader& file, const std::string& group);

}  // namespace wkvq
