#pragma once

#include "analysis/compare/compare.h"
#include "analysis/tables/table.h"

namespace wkvq {

/// A number of a run with its standard error, what it stands on and its convention.
Cell value_cell(const Evaluation& evaluation);

/// A paired difference with its standard error over clusters and its stars.
Cell difference_cell(const Comparison& comparison);

}  // namespace wkvq
