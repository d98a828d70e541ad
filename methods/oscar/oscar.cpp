#include "methods/oscar/oscar.h"

namespace wkvq {

Oscar::Oscar() {
  kv_.both = {.bits = 2,
              .form = QuantForm::kMinimum,
              .scale_dtype = ScaleDtype::kFloat16,
              .rotate = KvRotation::kQueries};
  kv_.key = kv_.value = kv_.both;
  kv_.key.clip = 0.96;
  kv_.value.clip = 0.92;
  kv_.view = {.mode = ViewMode::kPast, .window = 256, .sinks = 64};
}

std::string Oscar::summary() const {
  return "OSCAR: 2 bits in the basis of the queries' covariance, spread by a Hadamard matrix";
}

}  // namespace wkvq
