#pragma once

#include <string>

namespace wkvq {

/// At most `bytes` of UTF-8 text, no letter cut in two.
std::string cut_text(std::string text, size_t bytes);

}  // namespace wkvq
