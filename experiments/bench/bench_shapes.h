#pragma once

#include <string>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// The shapes of a published model that is benchmarked: everything of its configuration that sizes
/// tensors, norms and RoPE as LLaMA has them. ConfigError names the known ones.
ModelConfig bench_shapes(const std::string& model);

}  // namespace wkvq
