#pragma once

namespace wkvq {

/// What QuantForm's names mean, for the help of every option that has one (core/number/quant_spec.h).
inline constexpr const char* kFormHelp =
    "what a code q stands for. zero_point: (q - z) * scale, z a whole number; minimum: q * scale + "
    "the group's minimum, as in KIVI; symmetric: q * scale, q from -2^(bits-1), so 0 is in the "
    "middle; full_range: the same with the largest value half a step beyond the last code; mean "
    "(of "
    "caches): q * scale + the group's mean, the scale from the largest deviation";

}  // namespace wkvq
