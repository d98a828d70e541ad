#pragma once

#include "core/base/json_fields.h"
#include "core/base/model_config.h"

namespace wkvq {

/// Reads `rope_theta` with `rope_scaling` or the newer `rope_parameters` of config.json. `config`
/// holds max_positions and head_dim already. ConfigError names a kind of scaling, or a key of it,
/// that is not supported.
RopeConfig read_rope_config(const JsonFields& fields, const ModelConfig& config);

}  // namespace wkvq
