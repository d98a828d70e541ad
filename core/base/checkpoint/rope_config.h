#pragma once

#include "core/base/checkpoint/model_config.h"
#include "core/base/json/json_fields.h"

namespace wkvq {

/// Reads `rope_theta` with `rope_scaling` or the newer `rope_parameters` of config.json. `config`
/// holds max_positions and head_dim already. ConfigError names a kind of scaling, or a key of it,
/// that is not supported.
RopeConfig read_rope_config(const JsonFields& fields, const ModelConfig& config);

}  // namespace wkvq
