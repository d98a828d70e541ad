#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wkvq {

/// The process behind a claim or a temporary file. Its token stands in their names and contents:
/// "<host>-<machine>-<process>-<start>-<random>".
struct Owner {
  std::string host;      ///< letters, digits and dots, at most 32
  uint32_t machine = 0;  ///< of the booted system and the space of its process numbers
  uint64_t process = 0;  ///< number of the process
  uint64_t start = 0;    ///< when it began, in ticks after boot
  uint64_t random = 0;

  /// This process, with a new random part in every call.
  static Owner self();
  /// Nothing where `token` is none.
  static std::optional<Owner> parse(std::string_view token);
  std::string token() const;
  /// "host h, process 12".
  std::string text() const;
};

/// Only processes of this system and this space of numbers are known; of others, in containers or
/// on other hosts, nothing is.
enum class Life { kAlive, kDead, kUnknown };
Life life_of(const Owner& owner);

}  // namespace wkvq
