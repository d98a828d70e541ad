#pragma once

#include <filesystem>

#include "core/base/checkpoint/model_config.h"
#include "core/base/json/json_fields.h"

namespace wkvq {

/// Reads `bos_token_id` and `eos_token_id` of config.json (`fields`). `config` holds vocab_size
/// already. ConfigError names a field that is no token id or list of them.
void read_special_tokens(const JsonFields& fields, ModelConfig& config);

/// Adds the end tokens that generation_config.json in `folder` names, where there is one.
void add_end_tokens(const std::filesystem::path& folder, ModelConfig& config);

}  // namespace wkvq
