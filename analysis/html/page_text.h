#pragma once

namespace wkvq {

/// analysis/html/page.css and page.js, which CMake puts into the program.
extern const char* const kPageStyle;
extern const char* const kPageScript;

}  // namespace wkvq
