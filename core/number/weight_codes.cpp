#include "core/number/weight_codes.h"

#include "core/device/torch_headers.h"

namespace wkvq {

RoundedWeight round_weight(const at::Tensor& weight, const QuantSpec& spec, bool keep_codes,
                           const ClipRatios& clip) {
  if (spec.identity()) return {weight, nullptr};
  if (!keep_codes)
    return {clip.high.defined() ? fake_quantize_clipped(weight, clip, spec)
                                : fake_quantize(weight, spec),
            nullptr};
  const at::NoGradGuard no_grad;
  const auto codes = std::make_shared<const WeightCodes>(encode(weight, spec, clip), spec);
  return {decode(codes->encoded), codes};
}

}  // namespace wkvq
