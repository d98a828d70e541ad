#include "methods/kivi/kivi.h"

namespace wkvq {

Kivi::Kivi() {
  kv_.both = {.bits = 2, .form = QuantForm::kMinimum};
  kv_.key = kv_.value = kv_.both;
  kv_.key.axis = KvAxis::kTime;
  kv_.key.group_size = 32;
  kv_.view = {.mode = ViewMode::kKivi, .window = 128};
}

std::string Kivi::summary() const {
  return "KIVI: keys per channel along time, values per token, the newest tokens exact; no "
         "training";
}

}  // namespace wkvq
