#pragma once

#include <string>
#include <string_view>

#include "analysis/tables/text_table.h"

namespace wkvq {

/// `text` as LaTeX prints it: special characters escaped, "±" and the like as math.
std::string latex_escaped(std::string_view text);

/// A table environment for package booktabs, its caption below. `caption` and cells are plain text;
/// a cell's trailing stars become a superscript. Header lines are rows of their own.
std::string latex_text(const TextTable& table, const std::string& caption);

}  // namespace wkvq
