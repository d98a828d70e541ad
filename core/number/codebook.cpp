#include "core/number/codebook.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

constexpr size_t kPoints = 2048;

struct Point {
  double x, weight;
};

/// Different values of positive weight, ascending.
std::vector<Point> points_of(const at::Tensor& values, const at::Tensor& weights) {
  const auto [sorted, order] = values.to(at::kCPU, at::kDouble).sort(/*stable=*/true, -1, false);
  const at::Tensor by_order =
      weights.defined() ? weights.to(at::kCPU, at::kDouble).index_select(0, order) : at::Tensor();
  const double* x = sorted.const_data_ptr<double>();
  const double* w = by_order.defined() ? by_order.const_data_ptr<double>() : nullptr;
  std::vector<Point> points;
  for (int64_t i = 0; i < sorted.numel(); ++i) {
    const double weight = w ? w[i] : 1.0;
    if (weight <= 0) continue;
    if (!points.empty() && points.back().x == x[i]) {
      points.back().weight += weight;
    } else {
      points.push_back({x[i], weight});
    }
  }
  return points;
}

/// At most kPoints points: those of equal intervals merged into their weighted means.
std::vector<Point> merged(const std::vector<Point>& points) {
  if (points.size() <= kPoints) return points;
  const double low = points.front().x;
  const double width = (points.back().x - low) / static_cast<double>(kPoints);
  std::vector<Point> sums;  // x: weighted sum
  size_t last = kPoints;
  for (const Point& p : points) {
    const size_t cell = std::min(kPoints - 1, static_cast<size_t>((p.x - low) / width));
    if (cell != last) sums.push_back({0, 0});
    sums.back().x += p.x * p.weight;
    sums.back().weight += p.weight;
    last = cell;
  }
  for (Point& p : sums) p.x /= p.weight;
  return sums;
}

/// The segmentation of sorted points into clusters of least cost. Costs of segments satisfy the
/// quadrangle inequality, so best starts never decrease and each row takes O(n log n).
class Segmentation {
 public:
  explicit Segmentation(const std::vector<Point>& points) : count_(points.size()) {
    weight_ = moment_ = square_ = std::vector<double>(count_ + 1, 0.0);
    for (size_t i = 0; i < count_; ++i) {
      const auto [x, w] = points[i];
      weight_[i + 1] = weight_[i] + w;
      moment_[i + 1] = moment_[i] + w * x;
      square_[i + 1] = square_[i] + w * x * x;
    }
  }

  /// Means of the best `clusters` segments, clusters <= points.
  std::vector<double> centers(size_t clusters) {
    before_.assign(count_ + 1, std::numeric_limits<double>::infinity());
    before_[0] = 0;
    starts_.assign(clusters, std::vector<size_t>(count_ + 1, 0));
    for (size_t k = 0; k < clusters; ++k) {
      now_.assign(count_ + 1, std::numeric_limits<double>::infinity());
      fill(starts_[k], {k + 1, count_}, {k, count_ - 1});
      before_.swap(now_);
    }
    std::vector<double> means(clusters);
    size_t end = count_;
    for (size_t k = clusters; k-- > 0;) {
      const size_t begin = starts_[k][end];
      means[k] = (moment_[end] - moment_[begin]) / (weight_[end] - weight_[begin]);
      end = begin;
    }
    return means;
  }

 private:
  struct Span {
    size_t first, last;
  };

  /// Weighted squared distance of points begin ... end - 1 to their mean.
  double cost(size_t begin, size_t end) const {
    const double w = weight_[end] - weight_[begin], m = moment_[end] - moment_[begin];
    return std::max(0.0, square_[end] - square_[begin] - m * m / w);
  }

  /// now_[end] for all ends in `ends`, whose best starts lie in `starts`.
  void fill(std::vector<size_t>& best, Span ends, Span starts) {
    if (ends.first > ends.last) return;
    const size_t end = ends.first + (ends.last - ends.first) / 2;
    size_t found = starts.first;
    for (size_t begin = starts.first; begin <= std::min(starts.last, end - 1); ++begin) {
      const double total = before_[begin] + cost(begin, end);
      if (total < now_[end]) {
        now_[end] = total;
        found = begin;
      }
    }
    best[end] = found;
    fill(best, {ends.first, end - 1}, {starts.first, found});
    fill(best, {end + 1, ends.last}, {found, starts.last});
  }

  size_t count_;
  std::vector<double> weight_, moment_, square_;  // prefix sums
  std::vector<double> before_, now_;              // least cost of the first points, by their number
  std::vector<std::vector<size_t>> starts_;       // [clusters][end]: where the last segment begins
};

}  // namespace

at::Tensor fit_codebook(const at::Tensor& x, const at::Tensor& weights, int64_t size) {
  TORCH_CHECK(x.dim() == 1 && x.numel() > 0, "codebook: got values ", x.sizes(),
              "; expected a flat tensor with elements");
  std::vector<Point> points = points_of(x, weights);
  if (points.empty()) points = points_of(x, {});
  points = merged(points);
  const size_t clusters = std::min(static_cast<size_t>(size), points.size());
  std::vector<double> centers = Segmentation(points).centers(clusters);
  centers.resize(static_cast<size_t>(size), centers.back());
  return at::tensor(at::ArrayRef<double>(centers), at::kDouble);
}

at::Tensor q_norm(const at::Tensor& codebook, const at::Tensor& x) {
  const at::Tensor values = x.to(at::kCPU, at::kDouble);
  const int64_t inner = codebook.numel() - 1;
  const at::Tensor boundaries = (codebook.narrow(0, 1, inner) + codebook.narrow(0, 0, inner)) / 2;
  const at::Tensor nearest = codebook.index_select(0, at::bucketize(values, boundaries));
  const double spread = nearest.std(/*unbiased=*/false).item<double>();
  const double factor = spread > 0 ? values.std(/*unbiased=*/false).item<double>() / spread : 1.0;
  return (codebook - nearest.mean()) * factor + values.mean();
}

}  // namespace wkvq
