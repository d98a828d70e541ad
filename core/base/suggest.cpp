#include "core/base/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace wkvq {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(const std::string& given, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, given.size() / 3) + 1;
  for (const auto& name : known) {
    // The distance is at least the difference of the lengths: a hostile key costs nothing.
    const size_t shorter = std::min(given.size(), name.size());
    const size_t longer = std::max(given.size(), name.size());
    if (longer - shorter >= best_distance) continue;
    const size_t distance = edit_distance(given, name);
    if (distance < best_distance && distance < longer) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(const std::string& given, const std::vector<std::string>& known,
                       const std::string& what) {
  constexpr size_t kListed = 40;
  const std::string near = nearest(given, known);
  const auto end = known.begin() + static_cast<std::ptrdiff_t>(std::min(known.size(), kListed));
  return fmt::format(
      "{} ({}: {}{})", near.empty() ? "" : fmt::format("; did you mean '{}'?", near), what,
      known.empty() ? "none" : fmt::format("{}", fmt::join(known.begin(), end, ", ")),
      end == known.end() ? "" : ", ...");
}

}  // namespace wkvq
