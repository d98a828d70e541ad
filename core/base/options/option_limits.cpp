#include "core/base/options/option_limits.h"

#include <fmt/format.h>

namespace wkvq {

void check_at_most(OptionVisitor& v, const char* name, int64_t value, int64_t most) {
  if (value > most) v.reject(name, fmt::format("{}; expected at most {}", value, most));
}

void check_tokens_in_all(OptionVisitor& v, const char* name, int64_t count, int64_t length) {
  if (length > 0 && count > kMostTokensInAll / length)
    v.reject(name, fmt::format("{} sequences of {} tokens; expected at most {} tokens in all",
                               count, length, kMostTokensInAll));
}

}  // namespace wkvq
