#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace wkvq {

/// How deep `Sequence` components may be nested.
inline constexpr int kMaxSequenceDepth = 8;
/// Steps of one stage, those of its sequences together: published files have five.
inline constexpr size_t kMaxSteps = 64;
/// Bytes of a text that a step puts in. Published ones are a few characters.
inline constexpr size_t kMaxInserted = 256;

/// A value inside a JSON file together with its place, so that every complaint about it names file
/// and component. All readers throw ConfigError.
class JsonNode {
 public:
  using Json = nlohmann::json;

  /// `where`: what messages begin with, e.g. "tokenizer.json: pre_tokenizer". `value` must outlive
  /// the node.
  JsonNode(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const Json& value() const { return *value_; }
  const std::string& where() const { return where_; }

  /// True for an object that has `key` with a value other than null.
  bool has(const char* key) const;
  /// The member `key`, which must be there and not null.
  JsonNode at(const char* key) const;
  /// Element `index` of an array.
  JsonNode at(size_t index) const;
  /// Number of elements; the value must be an array.
  size_t size() const;
  const Json& object() const;

  std::string text() const;
  bool flag() const;
  int64_t integer() const;

  std::string text(const char* key) const { return at(key).text(); }
  /// The member `key`, or `otherwise` where it is absent or null.
  std::string text_or(const char* key, const std::string& otherwise) const;
  bool flag_or(const char* key, bool otherwise) const;
  std::optional<bool> optional_flag(const char* key) const;

  /// ConfigError: "<where>: <kind> '<given>' is not supported; known: <known>".
  [[noreturn]] void unsupported(std::string_view given, std::string_view known) const;

 private:
  [[noreturn]] void expected(const char* what) const;

  const Json* value_;
  std::string where_;
};

}  // namespace wkvq
