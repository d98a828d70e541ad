#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/gguf/gguf.h"

namespace wkvq {

/// Typed access to the metadata of a GGUF file. ConfigError says file, key, its value and what was
/// expected. Integers of every width count as integers, and as numbers.
class GgufFields {
 public:
  /// `where` starts every message; `values` must outlive this.
  GgufFields(const std::map<std::string, GgufValue>& values, std::string where)
      : values_(&values), where_(std::move(where)) {}

  const std::string& where() const { return where_; }

  /// Null where absent.
  const GgufValue* find(const std::string& key) const;

  int64_t integer(const std::string& key, int64_t least, int64_t most) const;
  int64_t integer_or(const std::string& key, int64_t if_absent, int64_t least, int64_t most) const;
  /// A finite number in [least, most].
  double number(const std::string& key, double least, double most) const;
  bool flag_or(const std::string& key, bool if_absent) const;
  std::string text(const std::string& key) const;
  std::string text_or(const std::string& key, const std::string& if_absent) const;

  /// A list of texts; the views point into the file.
  std::vector<std::string_view> texts(const std::string& key) const;
  /// A list of integers or numbers.
  std::vector<double> numbers(const std::string& key) const;

  /// Throws ConfigError: `key` has its value, and `expected`.
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  const GgufValue& required(const std::string& key) const;

  const std::map<std::string, GgufValue>* values_;
  std::string where_;
};

}  // namespace wkvq
