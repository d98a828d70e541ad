#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace wkvq {

/// XXH3 with 128 bits over a stream of bytes: fast, equal on every machine, not cryptographic.
class Hasher {
 public:
  Hasher();
  /// Bytes as they are: add("ab") and add("a").add("b") hash alike.
  Hasher& add(const void* bytes, size_t count);
  Hasher& add(std::string_view text) { return add(text.data(), text.size()); }
  /// Preceded by its length, so that neighbouring parts cannot run into each other.
  Hasher& add_part(std::string_view text);
  /// 32 hexadecimal digits of all bytes so far.
  std::string hex() const;

 private:
  struct Free {
    void operator()(void* state) const;
  };
  std::unique_ptr<void, Free> state_;
};

/// Hash of `text` alone: 32 hexadecimal digits.
std::string hash_text(std::string_view text);

/// Hash of a file's bytes. ConfigError where it cannot be read.
std::string hash_file(const std::filesystem::path& path);

}  // namespace wkvq
