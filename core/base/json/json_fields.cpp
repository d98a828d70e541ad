#include "core/base/json/json_fields.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

std::string shown_json(const nlohmann::json& value) {
  return shown(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

JsonFields::JsonFields(const nlohmann::json& json, std::string where)
    : json_(&json), where_(std::move(where)) {
  if (!json.is_object()) config_error("{}: expected an object, got {}", where_, shown_json(json));
}

const nlohmann::json* JsonFields::find(const std::string& name) const {
  const auto found = json_->find(name);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& JsonFields::required(const std::string& name) const {
  if (const nlohmann::json* value = find(name)) return *value;
  config_error("{}: field '{}' is missing", where_, name);
}

int64_t JsonFields::integer(const std::string& name, int64_t least, int64_t most) const {
  const nlohmann::json& value = required(name);
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most) {
    refuse(name, fmt::format("expected an integer from {} to {}", least, most));
  }
  return value.get<int64_t>();
}

double JsonFields::number(const std::string& name, double least, double most) const {
  const nlohmann::json& value = required(name);
  // Written so that NaN is refused too.
  if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() <= most)) {
    refuse(name, fmt::format("expected a number from {} to {}", least, most));
  }
  return value.get<double>();
}

std::string JsonFields::text(const std::string& name) const {
  const nlohmann::json& value = required(name);
  if (!value.is_string()) refuse(name, "expected a string");
  return value.get<std::string>();
}

bool JsonFields::boolean(const std::string& name, bool if_absent) const {
  const nlohmann::json* value = find(name);
  if (value && !value->is_boolean()) refuse(name, "expected true or false");
  return value ? value->get<bool>() : if_absent;
}

std::optional<JsonFields> JsonFields::object(const std::string& name) const {
  const nlohmann::json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_object()) refuse(name, "expected an object");
  return JsonFields(*value, fmt::format("{}: {}", where_, name));
}

void JsonFields::only(const std::vector<std::string>& known) const {
  for (const auto& [name, value] : json_->items()) {
    if (!value.is_null() && std::find(known.begin(), known.end(), name) == known.end()) {
      refuse(name, fmt::format("not supported; known: {}", fmt::join(known, ", ")));
    }
  }
}

void JsonFields::refuse(const std::string& name, const std::string& expected) const {
  const nlohmann::json* value = find(name);
  config_error("{}: field '{}' is {}; {}", where_, shown(name),
               value ? shown_json(*value) : "absent", expected);
}

}  // namespace wkvq
