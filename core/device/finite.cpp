#include "core/device/finite.h"

#include <fmt/ranges.h>

#include <cmath>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// The place of the first true element of `mask`.
std::vector<int64_t> first_true(const at::Tensor& mask) {
  std::vector<int64_t> place(static_cast<size_t>(mask.dim()));
  int64_t flat = mask.flatten().to(at::kByte).argmax().item<int64_t>();
  for (size_t i = place.size(); i-- > 0;) {
    place[i] = flat % mask.size(static_cast<int64_t>(i));
    flat /= mask.size(static_cast<int64_t>(i));
  }
  return place;
}

}  // namespace

bool all_finite(const at::Tensor& x) {
  if (x.numel() == 0) return true;
  const auto [least, most] = at::aminmax(x.detach());
  return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

std::optional<std::vector<int64_t>> first_not_finite(const at::Tensor& x) {
  if (all_finite(x)) return std::nullopt;
  return first_true(at::isfinite(x.detach()).logical_not());
}

void require_finite(const at::Tensor& x, const std::string& what) {
  if (!x.defined()) return;
  if (const auto place = first_not_finite(x))
    throw NotFiniteError(fmt::format("{}: not finite at [{}]", what, fmt::join(*place, ", ")));
}

void require_positive(const at::Tensor& x, const std::string& what) {
  require_finite(x, what);
  if (!x.defined() || x.numel() == 0 || x.detach().min().item<double>() > 0) return;
  throw NotFiniteError(fmt::format("{}: a scale at [{}] is not above 0", what,
                                   fmt::join(first_true(x.detach() <= 0), ", ")));
}

std::string model_not_finite(at::ScalarType dtype, const std::string& where) {
  const char* name = "float32";
  const char* instead = "expected a sound checkpoint, or model.dtype: float64";
  if (dtype == at::kHalf) {
    name = "float16";
    instead = "expected model.dtype: bfloat16 or float32";
  } else if (dtype == at::kBFloat16) {
    name = "bfloat16";
    instead = "expected model.dtype: float32";
  } else if (dtype == at::kDouble) {
    name = "float64";
    instead = "expected a sound checkpoint";
  }
  return fmt::format("the full-precision model itself is not finite in {}: {}; {}", name, where,
                     instead);
}

}  // namespace wkvq
