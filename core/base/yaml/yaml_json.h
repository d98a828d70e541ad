#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/recorder.h"

namespace wkvq {

/// A YAML document as JSON, keys in order. Plain scalars become integers, numbers, booleans or null
/// where YAML 1.2 reads them so, quoted ones stay strings. ConfigError where the text is no YAML,
/// nests deeper than 64 or holds more than 100,000 nodes (aliases count wherever they are used).
nlohmann::ordered_json yaml_to_json(const std::string& text);

/// The leaves under dotted keys, in order: {"method.kv.bits", 4}, {"evaluate.0.task", "cloze"}.
/// Booleans, null and lists without maps become their JSON text.
std::vector<std::pair<std::string, AttributeValue>> flatten(const nlohmann::ordered_json& document);

}  // namespace wkvq
