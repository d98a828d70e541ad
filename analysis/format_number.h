#pragma once

#include <string>

#include "core/base/recorder.h"

namespace wkvq {

/// "12.346 ± 0.012": the error with two digits, the value as far as the error reaches. Without a
/// positive finite error six significant digits; NaN is "nan".
std::string format_measurement(double value, double error);

/// Shortest text that reads back as the same number.
std::string format_exact(double value);

/// For tables: integers and text as they are, reals with six significant digits.
std::string format_attribute(const AttributeValue& value);

}  // namespace wkvq
