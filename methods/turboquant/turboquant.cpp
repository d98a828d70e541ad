#include "methods/turboquant/turboquant.h"

namespace wkvq {

TurboQuant::TurboQuant() {
  kv_.both = {.bits = 4,
              .scale_dtype = ScaleDtype::kFloat16,
              .rotate = KvRotation::kSigned,
              .grid = KvGrid::kNormal};
  kv_.key = kv_.value = kv_.both;
}

std::string TurboQuant::summary() const {
  return "TurboQuant: lengths, and rotated directions on the codebook of a normal distribution; no "
         "calibration";
}

}  // namespace wkvq
