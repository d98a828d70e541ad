#pragma once

#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "core/base/gguf/gguf.h"

namespace wkvq {

/// Walks over the header of a GGUF file and never beyond its end. ConfigError says the file and
/// the place in it.
class GgufReader {
 public:
  /// `bytes`: the whole file.
  GgufReader(std::string_view bytes, std::string file) : bytes_(bytes), file_(std::move(file)) {}

  size_t at() const { return at_; }
  const std::string& file() const { return file_; }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  /// `count` bytes as they are.
  std::string_view take(uint64_t count);

  /// A length of at most `most` with so many bytes behind it.
  std::string_view text(uint64_t most);

  /// A text of printable ASCII, 1 to `most` characters: `what` in messages.
  std::string name(uint64_t most, std::string_view what);

  /// The value of metadata key `key`.
  GgufValue value(const std::string& key);

 private:
  std::string_view elements(const std::string& key, GgufKind kind, uint64_t count);

  std::string_view bytes_;
  std::string file_;
  size_t at_ = 0;
};

}  // namespace wkvq
