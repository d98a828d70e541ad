#pragma once

#include <string>

namespace wkvq {

/// `text` as one word of a POSIX shell: as it is where it needs no quotes, else in single ones.
std::string shell_word(const std::string& text);

}  // namespace wkvq
