#pragma once

namespace wkvq {

/// Searches try candidates in a fixed order. A later one wins only where its loss is below this
/// part of the best so far: two candidates that quantize alike have losses that differ by the order
/// of their sums alone, and the choice must not hang on it. Losses are sums in float32 or wider,
/// whose relative rounding is some 1e-6.
inline constexpr double kClearlyLess = 1 - 1e-5;

}  // namespace wkvq
