#pragma once

#include <cstdint>

#include "core/base/options/options.h"

namespace wkvq {

// What options may ask for: far beyond any use, and small enough that products of two do not
// overflow and that memory is not asked for in vain.

/// Tokens of one sequence.
inline constexpr int64_t kMostTokens = int64_t{1} << 24;
/// Samples, questions, batches, passes.
inline constexpr int64_t kMostSamples = int64_t{1} << 20;
/// Tokens of all sequences that one part of a configuration makes: 1 GiB of ids.
inline constexpr int64_t kMostTokensInAll = int64_t{1} << 28;

/// Rejects a value above `most`.
void check_at_most(OptionVisitor& v, const char* name, int64_t value, int64_t most);

/// Rejects at `name` where `count` sequences of `length` tokens are more than kMostTokensInAll.
/// Both are at least 0 and at most kMostTokens, or were rejected.
void check_tokens_in_all(OptionVisitor& v, const char* name, int64_t count, int64_t length);

}  // namespace wkvq
