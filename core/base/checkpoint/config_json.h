#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// The architecture that `json`, the content of a config.json, describes. `where` starts every
/// message. ConfigError as read_model_config.
ModelConfig parse_model_config(const nlohmann::json& json, const std::string& where);

}  // namespace wkvq
