#pragma once

#include <fmt/format.h>

#include <vector>

#include "tests/support/catch.h"

namespace wkvq::test {

/// Writes `windows`, all of one length, as a .npy file of int32 [windows, length].
inline void write_npy(const std::filesystem::path& path,
                      const std::vector<std::vector<int32_t>>& windows) {
  std::string header =
      fmt::format("{{'descr': '<i4', 'fortran_order': False, 'shape': ({}, {}), }}", windows.size(),
                  windows[0].size());
  header.resize(118, ' ');
  header[117] = '\n';
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  bytes += header;
  for (const std::vector<int32_t>& window : windows)
    bytes.append(reinterpret_cast<const char*>(window.data()), window.size() * sizeof(int32_t));
  write_file(path, bytes);
}

}  // namespace wkvq::test
