#pragma once

#include <filesystem>

#include "core/base/json_fields.h"
#include "core/base/model_config.h"

namespace wkvq {

/// Reads `bos_token_id` and `eos_token_id` of config.json (`fields`), and the end tokens that
/// generation_config.json in `folder` adds. `config` holds vocab_size already. ConfigError names a
/// field that is no token id or list of them.
void read_special_tokens(const std::filesystem::path& folder, const JsonFields& fields,
                         ModelConfig& config);

}  // namespace wkvq
