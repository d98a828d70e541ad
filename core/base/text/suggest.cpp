#include "core/base/text/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <string_view>
#include <utility>

namespace wkvq {
namespace {

constexpr size_t kLongest = 200;  // no name is longer: a hostile word costs nothing

/// Letters put in, left out, replaced, or two neighbours that changed places, each letter touched
/// once (Damerau and Levenshtein; optimal string alignment).
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// Names that other programs use for the same thing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kAlsoCalled = {{
    {"bf16", "bfloat16"},
    {"fp16", "float16"},
    {"f16", "float16"},
    {"half", "float16"},
    {"float", "float32"},
    {"fp32", "float32"},
    {"f32", "float32"},
    {"fp64", "float64"},
    {"double", "float64"},
    {"ppl", "perplexity"},
}};

bool is_known(std::string_view name, const std::vector<std::string>& known) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char letter) {
    return static_cast<char>(letter < 0x80 ? std::tolower(letter) : letter);
  });
  return text;
}

/// The shortest of `known` that begins with `given`, which must be long enough to mean something.
std::string begins_with(const std::string& given, const std::vector<std::string>& known) {
  std::string best;
  for (const auto& name : known) {
    const bool fits = given.size() >= 3 && name.starts_with(given);
    if (fits && (best.empty() || name.size() < best.size())) best = name;
  }
  return best;
}

}  // namespace

std::string nearest(const std::string& written, const std::vector<std::string>& known) {
  if (written.size() > kLongest) return {};
  const std::string given = lower(written);
  for (const auto& [other, name] : kAlsoCalled)
    if (given == other && is_known(name, known)) return std::string(name);
  std::string best;
  size_t best_distance = std::max<size_t>(2, given.size() / 3) + 1;
  for (const auto& name : known) {
    const size_t shorter = std::min(given.size(), name.size());
    const size_t longer = std::max(given.size(), name.size());
    if (longer - shorter >= best_distance) continue;
    const size_t distance = edit_distance(given, name);
    if (distance < best_distance && distance < longer) {
      best = name;
      best_distance = distance;
    }
  }
  // A beginning says more than two changed letters do.
  const std::string longer = begins_with(given, known);
  return best_distance > 1 && !longer.empty() ? longer : best;
}

std::string suggestion(const std::string& given, const std::vector<std::string>& known,
                       const std::string& what) {
  constexpr size_t kListed = 40;
  constexpr size_t kFew = 24;
  const std::string near = nearest(given, known);
  if (!near.empty() && known.size() > kFew) return fmt::format("; did you mean '{}'?", near);
  const auto end = known.begin() + static_cast<std::ptrdiff_t>(std::min(known.size(), kListed));
  return fmt::format(
      "{} ({}: {}{})", near.empty() ? "" : fmt::format("; did you mean '{}'?", near), what,
      known.empty() ? "none" : fmt::format("{}", fmt::join(known.begin(), end, ", ")),
      end == known.end() ? "" : ", ...");
}

}  // namespace wkvq
