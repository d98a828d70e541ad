#pragma once

namespace wkvq {

/// The text of published_numbers.yaml (analysis/CMakeLists.txt makes it part of the program).
extern const char* const kPublishedText;

}  // namespace wkvq
