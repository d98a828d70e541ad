#include "methods/mixed/bit_front.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace wkvq {

namespace {

/// Keeps what nothing smaller or equal in size beats.
std::vector<FrontPoint> without_dominated(std::vector<FrontPoint> points) {
  // Equal in both: the first choices win, so that the result depends on the input alone.
  std::ranges::sort(points, [](const FrontPoint& a, const FrontPoint& b) {
    return std::tie(a.stored_bits, a.loss, a.choices) < std::tie(b.stored_bits, b.loss, b.choices);
  });
  std::vector<FrontPoint> kept;
  for (FrontPoint& point : points)
    if (kept.empty() || point.loss < kept.back().loss) kept.push_back(std::move(point));
  return kept;
}

}  // namespace

std::vector<FrontPoint> bit_front(const std::vector<BitPlace>& places) {
  std::vector<FrontPoint> front(1);
  for (const BitPlace& place : places) {
    std::vector<FrontPoint> longer;
    for (const FrontPoint& point : front) {
      for (size_t i = 0; i < place.choices.size(); ++i) {
        longer.push_back(point);
        longer.back().stored_bits += place.elements * place.choices[i].bits;
        longer.back().loss += place.choices[i].loss;
        longer.back().choices.push_back(i);
      }
    }
    front = without_dominated(std::move(longer));
  }
  return front;
}

const FrontPoint* best_within(const std::vector<FrontPoint>& front, double average_bits,
                              int64_t elements) {
  // A few ulps of grace: an average such as 3.1 has no exact double.
  const double most = average_bits * static_cast<double>(elements) * (1 + 1e-12);
  const FrontPoint* best = nullptr;
  for (const FrontPoint& point : front)
    if (static_cast<double>(point.stored_bits) <= most) best = &point;
  return best;
}

}  // namespace wkvq
