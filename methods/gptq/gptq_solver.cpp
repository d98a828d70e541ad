#include "methods/gptq/gptq_solver.h"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "core/base/options/option_limits.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"

namespace wkvq {

namespace {

// Where damping of 0 starts to rise from, and where rising further cannot help any more.
constexpr double kFirstDamping = 1e-6;
constexpr double kLastDamping = 1e4;

/// Inverse of the Cholesky factor of `matrix`, which is overwritten, lower triangular; undefined
/// where it is not positive definite.
template <class T>
at::Tensor inverse_factor_eigen(const at::Tensor& matrix) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int64_t n = matrix.size(0);
  Eigen::Map<Matrix> source(matrix.mutable_data_ptr<T>(), n, n);
  const Eigen::LLT<Eigen::Ref<Matrix>> factor(source);
  if (factor.info() != Eigen::Success) return {};
  at::Tensor inverse = at::eye(n, matrix.options());
  Eigen::Map<Matrix> result(inverse.mutable_data_ptr<T>(), n, n);
  factor.matrixL().solveInPlace(result);
  return inverse;
}

at::Tensor inverse_factor(const at::Tensor& matrix) {
  if (matrix.is_cpu())
    return matrix.scalar_type() == at::kDouble ? inverse_factor_eigen<double>(matrix)
                                               : inverse_factor_eigen<float>(matrix);
  const auto [factor, info] = at::linalg_cholesky_ex(matrix);
  if (info.item<int64_t>() != 0) return {};
  return at::linalg_solve_triangular(factor, at::eye(matrix.size(0), matrix.options()),
                                     /*upper=*/false);
}

bool is_finite(const at::Tensor& x) {
  const auto [least, most] = at::aminmax(x);
  return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

/// U, upper triangular with inv(H + added I) = U^T U. With rows and columns in reverse order, H = L
/// L^T and U is inv(L) turned back: no inverse of H is formed.
at::Tensor upper_factor(const at::Tensor& hessian, double added) {
  at::Tensor damped = hessian.flip({0, 1}).contiguous();
  damped.diagonal().add_(added);
  const at::Tensor inverse = inverse_factor(damped);
  damped = at::Tensor();  // the fourth matrix of this size
  // Rounding can carry a singular matrix through the factorization; its inverse is then useless.
  if (!inverse.defined() || !is_finite(inverse)) return {};
  return inverse.flip({0, 1}).contiguous();
}

/// P = triu(D U^T, 1) U of deviations D in the weight's own order; undefined without.
at::Tensor deviation_factor(const at::Tensor& deviation, const at::Tensor& factor,
                            const at::Tensor& order) {
  if (!deviation.defined()) return {};
  const at::Tensor ordered = deviation.index_select(0, order).index_select(1, order);
  return at::matmul(at::matmul(ordered, factor.t()).triu_(1), factor);
}

/// The loop over columns. Everything is held transposed, so that a column of the weight is a row in
/// memory.
class ColumnLoop {
 public:
  /// U and P of gptq_solve, P undefined without deviations, in the order of rounding.
  struct Factors {
    at::Tensor errors, deviations;
  };
  /// `weight` [in, out] in that order, overwritten. `fixed`: the grid of every column, or empty
  /// where groups find theirs on the way.
  ColumnLoop(const at::Tensor& weight, const Factors& factors, const QuantSpec& spec,
             const std::vector<GroupGrid>& fixed)
      : weight_(weight),
        factor_(factors.errors),
        deviation_(factors.deviations),
        spec_(spec),
        fixed_(fixed),
        columns_(weight.size(0)) {}

  /// Returns the rounded weight [in, out]; its codes go to `codes`, bytes of the same shape, where
  /// these are defined.
  at::Tensor run(int64_t block, const at::Tensor& codes) {
    codes_ = codes;
    at::Tensor quantized = at::empty_like(weight_);
    for (first_ = 0; first_ < columns_; first_ = last_) {
      last_ = std::min(first_ + block, columns_);
      errors_ = at::empty({last_ - first_, weight_.size(1)}, weight_.options());
      for (int64_t i = first_; i < last_; ++i) quantized.select(0, i).copy_(round_column(i));
      weight_.narrow(0, last_, columns_ - last_).copy_(current(last_, columns_, last_));
    }
    return quantized;
  }

  /// The grids of the groups that found theirs on the way, in the order of rounding.
  const std::vector<GroupGrid>& found() const { return found_; }

 private:
  at::Tensor round_column(int64_t i) {
    const at::Tensor column = weight_.select(0, i);
    const GroupGrid& grid = grid_of(i);
    const at::Tensor chosen = grid.codes(column), rounded = grid.values(chosen);
    if (codes_.defined()) codes_.select(0, i).copy_(grid.stored(chosen));
    const at::Tensor factor_row = factor_.select(0, i);
    const at::Tensor error = (column - rounded) / factor_row.select(0, i);
    errors_.select(0, i - first_).copy_(error);
    const int64_t rest = last_ - i - 1;
    weight_.narrow(0, i + 1, rest).addr_(factor_row.narrow(0, i + 1, rest), error, 1, -1);
    if (deviation_.defined())
      weight_.narrow(0, i + 1, rest)
          .addr_(deviation_.select(0, i).narrow(0, i + 1, rest), column.clone(), 1, 1);
    return rounded;
  }

  const GroupGrid& grid_of(int64_t i) {
    if (!fixed_.empty()) return fixed_[static_cast<size_t>(i)];
    const int64_t group = spec_.group_size == -1 ? columns_ : spec_.group_size;
    if (i % group == 0) {
      const int64_t end = std::min(i + group, columns_), inside = std::min(end, last_);
      const at::Tensor parts =
          at::cat({weight_.narrow(0, i, inside - i), current(inside, end, i)}, 0);
      found_.push_back(group_grid(parts.t().contiguous(), spec_));
    }
    return found_.back();
  }

  /// Columns [begin, end) behind the block with the errors of its columns before `done` applied:
  /// the weight itself gets them when the block is finished.
  at::Tensor current(int64_t begin, int64_t end, int64_t done) const {
    const at::Tensor columns = weight_.narrow(0, begin, end - begin);
    if (end == begin || done == first_) return columns;
    const auto part = [&](const at::Tensor& factor) {
      return factor.narrow(0, first_, done - first_).narrow(1, begin, end - begin).t();
    };
    const at::Tensor now = columns - at::matmul(part(factor_), errors_.narrow(0, 0, done - first_));
    if (!deviation_.defined()) return now;
    return now + at::matmul(part(deviation_), weight_.narrow(0, first_, done - first_));
  }

  at::Tensor weight_;  // rounded columns as they were before
  at::Tensor factor_, deviation_;
  const QuantSpec& spec_;
  const std::vector<GroupGrid>& fixed_;
  int64_t columns_;
  int64_t first_ = 0, last_ = 0;  // the block
  at::Tensor errors_;             // of its columns, [block, out]
  at::Tensor codes_;              // [in, out] or undefined
  std::vector<GroupGrid> found_;  // the last one is that of the column's group
};

int64_t group_of(const QuantSpec& spec, int64_t columns) {
  return spec.group_size == -1 ? columns : spec.group_size;
}

/// The grids of the groups of `weight` [in, out] as it is.
std::vector<GroupGrid> grids_before(const at::Tensor& weight, const QuantSpec& spec) {
  const int64_t columns = weight.size(0), group = group_of(spec, columns);
  std::vector<GroupGrid> grids;
  for (int64_t i = 0; i < columns; i += group)
    grids.push_back(
        group_grid(weight.narrow(0, i, std::min(group, columns - i)).t().contiguous(), spec));
  return grids;
}

/// The grid of every column in `order`, given those of the groups.
std::vector<GroupGrid> by_column(const std::vector<GroupGrid>& grids, const at::Tensor& order,
                                 const QuantSpec& spec) {
  const int64_t group = group_of(spec, order.size(0));
  const at::Tensor places = order.cpu();
  std::vector<GroupGrid> columns;
  for (int64_t i = 0; i < order.size(0) && !grids.empty(); ++i)
    columns.push_back(grids[static_cast<size_t>(places[i].item<int64_t>() / group)]);
  return columns;
}

/// What codes [in, out] on the grids of all groups, both in the weight's own order, stand for.
std::shared_ptr<const WeightCodes> codes_on(const at::Tensor& codes,
                                            const std::vector<GroupGrid>& grids,
                                            const QuantSpec& spec, at::ScalarType dtype) {
  std::vector<at::Tensor> scales, offsets;
  for (const GroupGrid& grid : grids) {
    scales.push_back(grid.scale);
    offsets.push_back(grid.offset);
  }
  QuantPlan plan = grids.front().plan;
  plan.width = codes.size(0);
  plan.group = group_of(spec, plan.width);
  const EncodedGroups groups{codes.t().contiguous(), at::stack(scales, 1).contiguous(),
                             at::stack(offsets, 1).contiguous()};
  return std::make_shared<const WeightCodes>(Encoded{groups, plan, dtype}, spec);
}

}  // namespace

void GptqOptions::visit(OptionVisitor& v) {
  v("damping", damping, "part of its mean added to the Hessian's diagonal; rises where needed");
  v("act_order", act_order, "round columns of large inputs first");
  v("static_groups", static_groups, "find the grids of all groups before rounding");
  v("block_size", block_size, "columns rounded before the rest of the weight is updated");
  if (!(damping >= 0)) v.reject("damping", fmt::format("{}; expected 0 or more", damping));
  if (block_size < 1) v.reject("block_size", fmt::format("{}; expected at least 1", block_size));
  check_at_most(v, "block_size", block_size, kMostSamples);
}

bool permutes_groups(const GptqOptions& options, const QuantSpec& spec) {
  return options.act_order && !options.static_groups && spec.group_size != -1;
}

GptqResult gptq_solve(const at::Tensor& weight, const InputMoments& moments, const QuantSpec& given,
                      const GptqOptions& options, bool keep_codes) {
  const at::Tensor& hessian = moments.hessian;
  const int64_t inputs = weight.size(1);
  TORCH_CHECK(weight.dim() == 2 && hessian.dim() == 2 && hessian.size(0) == inputs &&
                  hessian.size(1) == inputs,
              "gptq: weight ", weight.sizes(), " with a Hessian ", hessian.sizes(),
              "; expected [out, in] and [in, in]");
  const at::NoGradGuard no_grad;
  const QuantSpec spec = of_tensor(given, weight);
  const at::Tensor diagonal = hessian.diagonal(), dead = diagonal == 0;
  GptqResult result{.damping = options.damping, .dead_columns = dead.sum().item<int64_t>()};
  const auto live = static_cast<double>(inputs - result.dead_columns);
  const double mean = live > 0 ? diagonal.sum().item<double>() / live : 1;
  at::Tensor h = hessian.clone();
  h.diagonal().masked_fill_(dead, mean);
  at::Tensor columns = weight.t().to(hessian.scalar_type());
  columns = columns.masked_fill(dead.unsqueeze(1), 0).contiguous();

  at::Tensor order = at::arange(inputs, diagonal.options().dtype(at::kLong));
  if (options.act_order)
    order = at::argsort(diagonal, /*stable=*/true, /*dim=*/0, /*descending=*/true);
  std::vector<GroupGrid> grids;
  if (options.static_groups) grids = grids_before(columns, spec);
  const std::vector<GroupGrid> fixed = by_column(grids, order, spec);
  if (options.act_order) {
    columns = columns.index_select(0, order);
    h = h.index_select(0, order).index_select(1, order);
  }

  at::Tensor factor = upper_factor(h, result.damping * mean);
  while (!factor.defined() && result.damping < kLastDamping) {
    result.damping = std::max(10 * result.damping, kFirstDamping);
    factor = upper_factor(h, result.damping * mean);
  }
  TORCH_CHECK(factor.defined(), "gptq: no damping makes the Hessian positive definite; expected ",
              "finite inputs");
  keep_codes = keep_codes && !permutes_groups(options, spec) && !spec.per_tensor;
  at::Tensor codes;
  if (keep_codes) codes = at::empty_like(columns, at::kByte);
  ColumnLoop loop(columns, {factor, deviation_factor(moments.deviation, factor, order)}, spec,
                  fixed);
  const at::Tensor rounded = loop.run(options.block_size, codes);
  const auto in_place = [&](const at::Tensor& x) {
    return at::empty_like(x).index_copy_(0, order, x);
  };
  result.weight = in_place(rounded).t().to(weight.scalar_type()).contiguous();
  if (keep_codes)
    result.codes =
        codes_on(in_place(codes), grids.empty() ? loop.found() : grids, spec, weight.scalar_type());
  return result;
}

}  // namespace wkvq
