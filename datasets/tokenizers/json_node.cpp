#include "datasets/tokenizers/json_node.h"

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {

bool JsonNode::has(const char* key) const {
  const auto found = object().find(key);
  return found != value_->end() && !found->is_null();
}

JsonNode JsonNode::at(const char* key) const {
  if (!has(key)) config_error("{}: '{}' is missing", where_, key);
  return {value_->at(key), fmt::format("{}.{}", where_, key)};
}

JsonNode JsonNode::at(size_t index) const {
  if (index >= size()) config_error("{}: has {} elements, expected more", where_, size());
  return {value_->at(index), fmt::format("{}[{}]", where_, index)};
}

size_t JsonNode::size() const {
  if (!value_->is_array()) expected("an array");
  return value_->size();
}

const nlohmann::json& JsonNode::object() const {
  if (!value_->is_object()) expected("an object");
  return *value_;
}

std::string JsonNode::text() const {
  if (!value_->is_string()) expected("a string");
  return value_->get<std::string>();
}

bool JsonNode::flag() const {
  if (!value_->is_boolean()) expected("true or false");
  return value_->get<bool>();
}

int64_t JsonNode::integer() const {
  if (!value_->is_number_integer()) expected("an integer");
  if (value_->is_number_unsigned() && value_->get<uint64_t>() > INT64_MAX) {
    config_error("{}: {} is too large", where_, value_->get<uint64_t>());
  }
  return value_->get<int64_t>();
}

std::string JsonNode::text_or(const char* key, const std::string& otherwise) const {
  return has(key) ? at(key).text() : otherwise;
}

bool JsonNode::flag_or(const char* key, bool otherwise) const {
  return has(key) ? at(key).flag() : otherwise;
}

std::optional<bool> JsonNode::optional_flag(const char* key) const {
  return has(key) ? std::optional<bool>(at(key).flag()) : std::nullopt;
}

void JsonNode::unsupported(std::string_view given, std::string_view known) const {
  config_error("{} '{}' is not supported; known: {}", where_, shown(given), known);
}

void JsonNode::expected(const char* what) const {
  std::string given = value_->is_structured() ? value_->type_name() : value_->dump();
  config_error("{}: given {}, expected {}", where_, shown(given), what);
}

}  // namespace wkvq
