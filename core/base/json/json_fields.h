#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace wkvq {

/// Typed access to the fields of one JSON object. ConfigError says file, field, its value and what
/// was expected. A null counts as absent.
class JsonFields {
 public:
  /// `where` starts every message; `json` must outlive this. ConfigError unless it is an object.
  JsonFields(const nlohmann::json& json, std::string where);

  /// Null where absent or null.
  const nlohmann::json* find(const std::string& name) const;

  int64_t integer(const std::string& name, int64_t least, int64_t most) const;
  /// A finite number in [least, most].
  double number(const std::string& name, double least, double most) const;
  std::string text(const std::string& name) const;
  bool boolean(const std::string& name, bool if_absent) const;
  std::optional<JsonFields> object(const std::string& name) const;

  /// Refuses every field that is not in `known` and not null.
  void only(const std::vector<std::string>& known) const;

  /// Throws ConfigError: field `name` has its value, and `expected`.
  [[noreturn]] void refuse(const std::string& name, const std::string& expected) const;

 private:
  const nlohmann::json& required(const std::string& name) const;

  const nlohmann::json* json_;
  std::string where_;
};

}  // namespace wkvq
