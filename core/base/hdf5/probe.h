#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace wkvq {

/// Tries action(0) .. action(count - 1) in a child process, a new one after each that died. Entry i
/// is empty or says how action(i) ended its process: "signal 11 (Segmentation fault)"; 5 seconds of
/// computing or 60 without an end are among them. Exceptions are no matter: they will come again in
/// this process. For libraries that damaged files can crash. No other thread of this process may be
/// inside that library.
std::vector<std::string> probe(size_t count, const std::function<void(size_t)>& action);

}  // namespace wkvq
