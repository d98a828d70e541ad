#pragma once

#include <string>
#include <string_view>

namespace wkvq {

/// `text` of any origin as content or attribute of HTML and XML: &, <, >, " and ' as references,
/// control characters and marks that reverse text as spaces, malformed UTF-8 as '?'.
std::string escaped(std::string_view text);

/// JSON text as it may stand in a <script>: '<' as \u003c, so that nothing ends the element.
std::string script_safe(const std::string& json);

}  // namespace wkvq
