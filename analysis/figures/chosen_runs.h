#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace wkvq {

/// Curves in one panel: as many as there are colours.
inline constexpr size_t kMostCurves = 8;

/// Cuts `all` to its first `most`; says so, or nothing where none was cut.
template <class T>
std::string keep_first(std::vector<T>& all, size_t most) {
  if (all.size() <= most) return {};
  const std::string note = fmt::format(
      "Drawn are the first {} of {} runs in the order of the table; `wkvq figure` draws the runs "
      "that it is given.",
      most, all.size());
  all.resize(most);
  return note;
}

}  // namespace wkvq
