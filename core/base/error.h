#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace wkvq {

/// Input that cannot be used: a configuration, a file, a command-line value. The message says who,
/// what was given, what was expected and where (file:line:column). Ends the program with exit code
/// 2, before any work starts.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void config_error(fmt::format_string<Args...> format, Args&&... args) {
  throw ConfigError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace wkvq
