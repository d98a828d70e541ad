#include "methods/hqq/hqq_rounding.h"

#include <fmt/format.h>

#include "core/base/options/option_limits.h"
#include "core/device/torch_headers.h"
#include "core/kv/row_grid.h"

namespace wkvq {

namespace {

/// The groups of a weight [out, in]: values of groups [out, groups] for each element, and means.
class Groups {
 public:
  Groups(const at::Tensor& weight, int64_t group_size)
      : width_(weight.size(1)), group_(group_size == -1 ? width_ : group_size) {
    place_ = at::div(at::arange(width_, weight.options().dtype(at::kLong)), group_, "floor");
    count_ = at::bincount(place_).to(weight.scalar_type());
  }

  at::Tensor each(const at::Tensor& of_group) const { return of_group.index_select(1, place_); }
  at::Tensor mean(const at::Tensor& x) const {
    return at::zeros({x.size(0), count_.size(0)}, x.options()).index_add_(1, place_, x) / count_;
  }

 private:
  int64_t width_, group_;
  at::Tensor place_, count_;
};

at::Tensor shrink(const at::Tensor& x, double beta, double p) {
  // Of 0 the power is infinite, and 0 times it no number.
  const at::Tensor size = x.abs().clamp_min(1e-30);
  return x.sign() * (size - size.pow(p - 1) / beta).clamp_min(0);
}

}  // namespace

void HqqOptions::visit(OptionVisitor& v) {
  v("iterations", iterations, "rounds of moving the offsets");
  v("p", p, "exponent of the norm of errors that is lowered; above 0, at most 1");
  v("beta", beta, "weight of its penalty in the first round");
  v("kappa", kappa, "factor on beta from round to round");
  if (iterations < 0) v.reject("iterations", fmt::format("{}; expected 0 or more", iterations));
  check_at_most(v, "iterations", iterations, kMostSamples);
  if (!(p > 0 && p <= 1)) v.reject("p", fmt::format("{}; expected more than 0, at most 1", p));
  if (!(beta > 0)) v.reject("beta", fmt::format("{}; expected more than 0", beta));
  if (!(kappa >= 1)) v.reject("kappa", fmt::format("{}; expected 1 or more", kappa));
}

RoundedWeight hqq_round(const at::Tensor& weight, const QuantSpec& spec, const HqqOptions& options,
                        bool keep_codes) {
  const at::NoGradGuard no_grad;
  Encoded encoded = encode(weight, spec);
  const at::Tensor& scales = encoded.groups.scale;
  const at::Tensor wide = weight.to(scales.scalar_type());
  const Groups groups(wide, spec.group_size);
  const at::Tensor scale = groups.each(at::where(scales > 0, scales, 1));
  const auto codes = [&](const at::Tensor& offset) {
    return ((wide - groups.each(offset)) / scale)
        .round_()
        .clamp_(0, static_cast<double>(encoded.plan.max_code));
  };
  const auto read = [&](const at::Tensor& chosen, const at::Tensor& offset) {
    return chosen * groups.each(scales) + groups.each(offset);
  };
  at::Tensor offset = encoded.groups.offset, best = offset, chosen = codes(offset);
  at::Tensor least = groups.mean((wide - read(chosen, offset)).abs());
  double beta = options.beta;
  for (int64_t i = 0; i < options.iterations; ++i, beta *= options.kappa) {
    const at::Tensor outliers = shrink(wide - read(chosen, offset), beta, options.p);
    offset = as_stored(groups.mean(wide - outliers - chosen * scale), spec.scale_dtype);
    chosen = codes(offset);
    const at::Tensor error = groups.mean((wide - read(chosen, offset)).abs());
    const at::Tensor better = error < least;
    best = at::where(better, offset, best);
    least = at::where(better, error, least);
  }
  encoded.groups.offset = best.contiguous();
  encoded.groups.codes = codes(best).to(at::kByte).contiguous();
  RoundedWeight rounded{decode(encoded), nullptr};
  if (keep_codes) rounded.codes = std::make_shared<const WeightCodes>(encoded, spec);
  return rounded;
}

}  // namespace wkvq
