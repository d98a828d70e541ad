#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// What a user should know of the files in `folder` that are not used or are overruled, one
/// sentence each: a head that config.json calls tied, chat templates, windows that the family does
/// not have. `config`: as the weights have settled it.
std::vector<std::string> model_notes(const std::filesystem::path& folder,
                                     const ModelConfig& config);

}  // namespace wkvq
