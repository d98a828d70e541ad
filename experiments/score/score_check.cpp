#include "experiments/score/score_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/calibrate/stream_check.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// Index of the first value that is not finite; the size where all are.
size_t first_bad(const std::vector<float>& values) {
  return static_cast<size_t>(
      std::ranges::find_if(values, [](float x) { return !std::isfinite(x); }) - values.begin());
}

[[noreturn]] void fail(ModelSource& source, const PreparedEvaluation& prepared, size_t request,
                       int64_t position) {
  const std::string where =
      fmt::format("{}, sequence {}, position {}", prepared.where(), request, position);
  const std::vector<int32_t>& tokens = prepared.requests()[request].tokens;
  const at::Tensor row = at::tensor(at::ArrayRef<int32_t>(tokens), at::kLong).unsqueeze(0);
  if (!full_precision_is_finite(source, row))
    throw NotFiniteError(model_not_finite(source.options().dtype, "logits, " + where));
  throw NotFiniteError("not finite: log-likelihood of the quantized model, " + where);
}

}  // namespace

void check_scores(ModelSource& source, const PreparedEvaluation& prepared,
                  const std::vector<Scored>& scored) {
  for (size_t i = 0; i < scored.size(); ++i) {
    const size_t token =
        std::min(first_bad(scored[i].nll),
                 scored[i].kl.empty() ? scored[i].nll.size() : first_bad(scored[i].kl));
    if (token < scored[i].nll.size())
      fail(source, prepared, i, prepared.requests()[i].score_from + static_cast<int64_t>(token));
  }
}

void check_metric(const std::string& name, const Metric& metric) {
  if (std::isfinite(metric.value)) return;
  throw NotFiniteError(
      fmt::format("not finite: {} is {} over {} tokens or items", name, metric.value, metric.n));
}

}  // namespace wkvq
