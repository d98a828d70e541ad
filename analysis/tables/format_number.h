#pragma once

#include <string>

#include "core/base/recorder.h"

namespace wkvq {

/// "12.346 ± 0.012": the error with two digits, the value as far as the error reaches. Without a
/// positive finite error six significant digits. "not finite (nan)", "not finite (-inf)": such a
/// value never looks like a number.
std::string format_measurement(double value, double error);

/// Shortest text that reads back as the same number; "nan" whatever the sign.
std::string format_exact(double value);

/// For tables: integers and text as they are, reals with six significant digits; NaN, which
/// stands for what was not measured, is "unknown (nan)".
std::string format_attribute(const AttributeValue& value);

}  // namespace wkvq
