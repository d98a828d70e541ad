#pragma once

#include <ostream>

#include "analysis/report/report_table.h"

namespace wkvq {

/// One table for a paper (package booktabs): significance marks on paired differences, conventions
/// and what the marks mean in the caption.
void print_latex(const Report& report, std::ostream& out);

}  // namespace wkvq
