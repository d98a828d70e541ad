#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// Columns of a terminal that UTF-8 `text` takes: wide East Asian characters and emoji two,
/// combining marks none.
size_t display_width(std::string_view text);

/// `text` with line breaks and control characters (which could steer a terminal) as spaces and
/// malformed UTF-8 as '?'.
std::string printable(std::string_view text);

/// At most `width` columns, the middle replaced by "…" where it is longer.
std::string shortened(const std::string& text, size_t width);

/// Lines of at most `width` columns, broken at spaces, '/' and '.'; a longer word stays whole.
std::vector<std::string> wrapped(const std::string& text, size_t width);

}  // namespace wkvq
