#pragma once

#include "core/number/number_format.h"
#include "tests/support/catch.h"

namespace wkvq::test {

/// The place of a format in the table, by its name.
inline FormatId format_id(const std::string& name) {
  for (size_t i = 0; i < number_formats().size(); ++i)
    if (name == number_formats()[i].name) return static_cast<FormatId>(i);
  FAIL("no format " << name);
  return {};
}

}  // namespace wkvq::test
